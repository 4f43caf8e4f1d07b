/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/progress.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "cli/output.h"
#include "fmnist/sys.h"

static const double REDRAW_SECONDS = 0.1;
static const double LINE_SECONDS = 5;

/* Parts of the line; when it is too narrow the later ones leave first. */
enum {
    SHOW_EPOCH,
    SHOW_ETA,
    SHOW_ACC,
    SHOW_BAR,
    SHOW_LOSS,
    SHOW_TEST,
    SHOW_RATE,
    N_SHOWN
};

/* In the order of the line. */
static const int ORDER[N_SHOWN] = {SHOW_EPOCH, SHOW_BAR,  SHOW_LOSS, SHOW_ACC,
                                   SHOW_TEST,  SHOW_RATE, SHOW_ETA};

static void
add_bar(struct str *b, double share, int width, int ascii)
{
    static const char *const EIGHTHS[] = {" ", "▏", "▎", "▍",
                                          "▌", "▋", "▊", "▉"};
    int eighths = (int)(share * width * 8);
    str_addc(b, ascii ? '[' : ' ');
    for (int i = 0; i < width; i++) {
        int full = eighths - i * 8;
        if (ascii) {
            str_addc(b, full >= 8 ? '#' : '.');
        } else {
            str_add(b, full >= 8 ? "█" : EIGHTHS[full > 0 ? full : 0]);
        }
    }
    str_addc(b, ascii ? ']' : ' ');
}

static void
add_part(struct str *b, int part, const struct batch_report *r, double test_acc,
         int ascii)
{
    switch (part) {
    case SHOW_EPOCH: {
        char all[16];
        int n = snprintf(all, sizeof all, "%d", r->epochs);
        str_addf(b, "epoch %*d/%s", n, r->epoch, all);
        break;
    }
    case SHOW_BAR:
        add_bar(b, r->batches > 0 ? (double)r->batch / r->batches : 0, 12,
                ascii);
        break;
    case SHOW_LOSS:
        str_addf(b, "loss %.4f", r->loss);
        break;
    case SHOW_ACC:
        str_addf(b, "acc %.2f %%", r->acc * 100);
        break;
    case SHOW_TEST:
        if (isfinite(test_acc)) {
            str_addf(b, "test %.2f %%", test_acc * 100);
        }
        break;
    case SHOW_RATE:
        format_rate(b, r->samples_per_second);
        str_add(b, " img/s");
        break;
    case SHOW_ETA:
        str_add(b, "ETA ");
        if (r->eta_seconds < 59.5) {
            str_addf(b, "%.0f s", r->eta_seconds);
        } else {
            format_seconds(b, r->eta_seconds);
        }
        break;
    }
}

void
progress_line(struct str *b, const struct batch_report *r, double test_acc,
              int width, int ascii)
{
    struct str parts[N_SHOWN];
    int total = 0;
    int n = 0;
    for (int i = 0; i < N_SHOWN; i++) {
        str_init(&parts[i]);
        add_part(&parts[i], i, r, test_acc, ascii);
    }
    for (; n < N_SHOWN; n++) {
        int w = str_width(parts[n].s);
        int more = w + (total && w ? 2 : 0);
        if (total + more > width - 1) {
            break;
        }
        total += more;
    }
    int first = 1;
    for (int i = 0; i < N_SHOWN; i++) {
        const struct str *s = &parts[ORDER[i]];
        if (ORDER[i] < n && s->len) {
            str_addf(b, "%s%s", first ? "" : "  ", s->s);
            first = 0;
        }
    }
    for (int i = 0; i < N_SHOWN; i++) {
        str_release(&parts[i]);
    }
}

void
progress_init(struct progress *p, const struct cli *c)
{
    *p = (struct progress){.c = c, .test_acc = (double)NAN};
    p->live = isatty(fileno(c->log));
}

static void
draw(struct progress *p, const struct batch_report *r)
{
    int width = cli_width(p->c->log);
    struct str line;
    str_init(&line);
    str_addc(&line, '\r');
    progress_line(&line, r, p->test_acc, width, p->c->ascii);
    int used = str_width(line.s + 1);
    if (used < p->drawn && p->drawn < width) {
        str_addf(&line, "%*s", p->drawn - used, "");
    }
    p->drawn = used;
    fputs(line.s, p->c->log);
    fflush(p->c->log);
    str_release(&line);
}

static void
print_plain(struct progress *p, const struct batch_report *r)
{
    struct str line;
    str_init(&line);
    str_addf(&line, "epoch %d/%d, batch %d/%d: ", r->epoch, r->epochs, r->batch,
             r->batches);
    static const int PARTS[] = {SHOW_LOSS, SHOW_ACC, SHOW_TEST, SHOW_RATE,
                                SHOW_ETA};
    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++) {
        if (PARTS[i] != SHOW_TEST || isfinite(p->test_acc)) {
            str_add(&line, i ? ", " : "");
            add_part(&line, PARTS[i], r, p->test_acc, 1);
        }
    }
    str_addc(&line, '\n');
    fputs(line.s, p->c->log);
    fflush(p->c->log);
    str_release(&line);
}

void
progress_batch(struct progress *p, const struct batch_report *r)
{
    double now = sys_monotonic();
    if (p->c->quiet) {
        return;
    }
    if (p->shown_at == 0 && !p->live) {
        p->shown_at = now;
        return;
    }
    if (now - p->shown_at < (p->live ? REDRAW_SECONDS : LINE_SECONDS)) {
        return;
    }
    p->shown_at = now;
    if (p->live) {
        draw(p, r);
    } else {
        print_plain(p, r);
    }
}

void
progress_epoch(struct progress *p, const struct epoch_metrics *m)
{
    p->test_acc = m->test_acc;
}

void
progress_clear(struct progress *p)
{
    if (p->drawn > 0) {
        fprintf(p->c->log, "\r%*s\r", p->drawn, "");
        fflush(p->c->log);
        p->drawn = 0;
    }
}
