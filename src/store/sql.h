/* SPDX-License-Identifier: MIT */
/* The statements of sql/, by name; the texts are in the generated header. */
#ifndef FMNIST_STORE_SQL_H
#define FMNIST_STORE_SQL_H

#include "store/sql_text.h" /* made in the build folder */

/* One statement's text, or several for sqlite3_exec. */
const char *sql_text(enum sql id);
/* All migrations in order, NULL-ended; entry i leads to version i + 1. */
const char *const *sql_migrations(void);

#endif
