/* SPDX-License-Identifier: MIT */
#include "config.h"

#define SQL_TEXTS
#include "store/sql.h"

const char *
sql_text(enum sql id)
{
    return TEXTS[id];
}

const char *const *
sql_migrations(void)
{
    return MIGRATIONS;
}
