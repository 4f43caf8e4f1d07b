/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/signals.h"

#include <stddef.h>

static const int SIGNALS[] = {SIGINT, SIGTERM, SIGHUP};
enum { N_SIGNALS = sizeof SIGNALS / sizeof SIGNALS[0] };

/* A handler has no other way to find them. */
static struct worker_leave *leaving;
static struct sigaction old[N_SIGNALS];

static void
catch_signal(int n)
{
    leaving->signal = n;
}

void
signals_catch(struct worker_leave *leave, int once)
{
    struct sigaction sa = {.sa_handler = catch_signal};
    leaving = leave;
    sa.sa_flags = once ? (int)(SA_RESETHAND | SA_RESTART) : SA_RESTART;
    sigemptyset(&sa.sa_mask);
    for (int i = 0; i < N_SIGNALS; i++) {
        sigaction(SIGNALS[i], NULL, &old[i]);
        if (old[i].sa_handler != SIG_IGN) {
            sigaction(SIGNALS[i], &sa, NULL);
        }
    }
    sa.sa_handler = SIG_IGN;
    sa.sa_flags = 0;
    sigaction(SIGPIPE, &sa, NULL);
}

void
signals_restore(void)
{
    for (int i = 0; i < N_SIGNALS; i++) {
        sigaction(SIGNALS[i], &old[i], NULL);
    }
}
