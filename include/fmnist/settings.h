/* SPDX-License-Identifier: MIT */
/* The user's settings: lines "name = value" of
 * $XDG_CONFIG_HOME/fmnist-tui/settings; # begins a comment line. */
#ifndef FMNIST_SETTINGS_H
#define FMNIST_SETTINGS_H

#include "fmnist/err.h"

/* *out: the value (mem_free it), or NULL where the file or the name is not
 * there.  ERR_FAIL names file and line of one that is neither. */
int settings_get(const char *name, char **out, struct err *e) MUST_CHECK;

#endif
