/* SPDX-License-Identifier: MIT */
/* The one door to curses and terminfo. */
#ifndef FMNIST_TERM_H
#define FMNIST_TERM_H

/* How many colours the terminal of $TERM has; 0 where it is unknown or has
 * none.  fd: where it is. */
int term_colors(int fd);

#endif
