/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/sys.h"

static const char BLANKS[] = " \t\r\n";

/* Cuts blanks off both ends. */
static char *
trim(char *s)
{
    size_t n;

    s += strspn(s, BLANKS);
    n = strlen(s);
    while (n > 0 && strchr(BLANKS, s[n - 1]))
        n--;
    s[n] = '\0';
    return s;
}

/* 1: the line is about that name, and *value points into it; -1: it is none. */
static int
read_line(char *line, const char *name, char **value)
{
    char *eq;

    line = trim(line);
    if (*line == '\0' || *line == '#')
        return 0;
    eq = strchr(line, '=');
    if (!eq)
        return -1;
    *eq = '\0';
    *value = trim(eq + 1);
    return strcmp(trim(line), name) == 0;
}

static int
find(FILE *f, const char *path, const char *name, char **out, struct err *e)
{
    char line[4096], *value;
    int n = 0, rc = 0, found;

    while (rc == 0 && fgets(line, sizeof(line), f)) {
        n++;
        found = read_line(line, name, &value);
        if (found < 0)
            rc = err_set(e, ERR_FAIL, "%s:%d: expected a line name = value",
                         path, n);
        if (found > 0) {
            mem_free(*out);
            *out = mem_strdup(value);
            rc = *out ? 0 : err_nomem(e, "a setting", strlen(value) + 1);
        }
    }
    if (rc == 0 && ferror(f))
        rc = err_sys(e, "%s", path);
    return rc;
}

int
settings_get(const char *name, char **out, struct err *e)
{
    char *path;
    FILE *f;
    int rc;

    *out = NULL;
    /* Who has no home folder has no settings. */
    rc = sys_config_path("settings", &path, e);
    if (rc < 0)
        return rc == ERR_NOMEM ? rc : 0;
    f = fopen(path, "re");
    if (f) {
        rc = find(f, path, name, out, e);
        fclose(f);
    } else if (errno != ENOENT && errno != ENOTDIR) {
        rc = err_sys(e, "%s", path);
    }
    if (rc < 0) {
        mem_free(*out);
        *out = NULL;
    }
    mem_free(path);
    return rc;
}
