/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/term.h"

#include <curses.h>
#include <stdlib.h>
#include <term.h>

int
term_colors(int fd)
{
    const char *name = getenv("TERM");
    int status;
    if (!name || !name[0] || setupterm(name, fd, &status) != OK) {
        return 0;
    }
    int n = tigetnum("colors");
    del_curterm(cur_term);
    return n > 0 ? n : 0;
}
