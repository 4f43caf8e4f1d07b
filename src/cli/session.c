/* SPDX-License-Identifier: MIT */
/* What every command shares: the database, the RUNs, messages, the terminal. */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/runs.h"
#include "fmnist/filter.h"
#include "fmnist/mem.h"
#include "fmnist/term.h"
#include "fmnist/worker.h"

int
cli_store(struct cli *c, enum store_mode mode, struct err *e)
{
    if (c->store) {
        return 0;
    }
    if (mode == STORE_WRITE && c->read_only) {
        return err_set(e, ERR_USAGE,
                       "--read-only: this command writes to the database");
    }
    int runs = 0;
    int rc = store_open(c->db, mode, &c->store, e);
    if (rc == 0 && store_notice(c->store)) {
        cli_message(c, "%s", store_notice(c->store));
    }
    if (rc == 0 && mode == STORE_WRITE) {
        rc = worker_recover(c->store, &runs, e);
    }
    if (runs > 0) {
        cli_message(c, "%d %s of a worker that died: back in the queue", runs,
                    run_plural(runs));
    }
    return rc;
}

int
cli_store_or_empty(struct cli *c, int *empty, struct err *e)
{
    int rc = cli_store(c, STORE_READ, e);
    *empty = rc == ERR_NOTFOUND && !c->db;
    return *empty ? 0 : rc;
}

int
cli_store_existing(struct cli *c, struct err *e)
{
    char *path;
    int rc = store_path(c->db, &path, e);
    if (rc) {
        return rc;
    }
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        rc = err_set(e, ERR_NOTFOUND,
                     "%s: there is no run database here yet; "
                     "'fmnist-tui train' makes one",
                     path);
    }
    mem_free(path);
    return rc ? rc : cli_store(c, STORE_WRITE, e);
}

static int
add_id(struct run_ids *ids, int64_t id, struct err *e)
{
    for (size_t i = 0; i < ids->n; i++) {
        if (ids->ids[i] == id) {
            return 0;
        }
    }
    if (ids->n == ids->cap) {
        size_t cap = ids->cap ? ids->cap * 2 : 16;
        int64_t *p = mem_resize(ids->ids, cap, sizeof *p);
        if (!p) {
            return err_nomem(e, "the list of runs", cap * sizeof *p);
        }
        ids->ids = p;
        ids->cap = cap;
    }
    ids->ids[ids->n++] = id;
    return 0;
}

struct id_list {
    struct run_ids *ids;
};

static int
take_id(const struct row *r, void *arg, struct err *e)
{
    struct id_list *list = arg;
    return r->cells ? add_id(list->ids, r->cells[0].i, e) : 0;
}

static int
add_filtered(struct cli *c, const char *text, int trash, struct run_ids *out,
             struct err *e)
{
    static const char *const ID[] = {"id"};
    struct filter f = {0};
    int rc = filter_compile(text, store_run_columns(c->store), &f, NULL, e);
    if (rc) {
        return rc;
    }
    struct id_list list = {out};
    struct run_query q = {.columns = ID,
                          .n_columns = 1,
                          .where = f.where,
                          .binds = f.binds,
                          .n_binds = f.n_binds,
                          .sort = "id",
                          .trash = f.trash && !trash ? 2 : trash};
    rc = store_runs(c->store, &q, take_id, &list, e);
    filter_release(&f);
    return rc;
}

int
cli_runs(struct cli *c, int n, struct run_ids *out, struct err *e)
{
    return cli_runs_in(c, n, 0, out, e);
}

int
cli_runs_in(struct cli *c, int n, int trash, struct run_ids *out, struct err *e)
{
    const char *filter = cli_text(c, "filter");
    int rc = 0;
    *out = (struct run_ids){0};
    if (n < 1 && !filter) {
        return err_set(e, ERR_USAGE, "name a RUN, or give --filter EXPR");
    }
    for (int i = 0; rc == 0 && i < n; i++) {
        struct run_ids one = {0};
        rc = store_run_resolve(c->store, c->argv[i], &one, e);
        for (size_t k = 0; rc == 0 && k < one.n; k++) {
            rc = add_id(out, one.ids[k], e);
        }
        mem_free(one.ids);
    }
    if (rc == 0 && filter) {
        rc = add_filtered(c, filter, trash, out, e);
    }
    if (rc) {
        mem_free(out->ids);
        *out = (struct run_ids){0};
    }
    return rc;
}

int
cli_run(struct cli *c, const char *word, int64_t *id, struct err *e)
{
    struct run_ids ids = {0};
    int rc = store_run_resolve(c->store, word, &ids, e);
    if (rc == 0 && ids.n != 1) {
        rc = err_set(e, ERR_USAGE, "\"%.80s\" names %zu runs; one is wanted",
                     word, ids.n);
    }
    if (rc == 0) {
        *id = ids.ids[0];
    }
    mem_free(ids.ids);
    return rc;
}

__attribute__((format(printf, 3, 0))) static void
print_line(const struct cli *c, const char *prefix, const char *fmt, va_list ap)
{
    char text[1024];
    struct str line;
    vsnprintf(text, sizeof text, fmt, ap);
    str_init(&line);
    str_add(&line, prefix);
    str_add_visible(&line, text);
    str_addc(&line, '\n');
    fflush(c->out);
    fputs(line.s, c->log);
    str_release(&line);
}

void
cli_message(const struct cli *c, const char *fmt, ...)
{
    va_list ap;
    if (c->quiet) {
        return;
    }
    va_start(ap, fmt);
    print_line(c, "", fmt, ap);
    va_end(ap);
}

void
cli_warning(const struct cli *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_line(c, "fmnist-tui: ", fmt, ap);
    va_end(ap);
}

int
cli_width(FILE *f)
{
    struct winsize w = {0};
    long long columns;
    int tty = isatty(fileno(f));
    if (tty && ioctl(fileno(f), TIOCGWINSZ, &w) == 0 && w.ws_col > 0) {
        return w.ws_col;
    }
    const char *text = getenv("COLUMNS");
    if (text && str_to_i64(text, &columns) == 0 && columns > 0 &&
        columns < 10000) {
        return (int)columns;
    }
    return tty ? 80 : 0;
}

int
cli_colors(const struct cli *c, FILE *f)
{
    const char *no = getenv("NO_COLOR");
    if (c->color == COLOR_NEVER) {
        return 0;
    }
    if (c->color == COLOR_AUTO && ((no && no[0]) || !isatty(fileno(f)))) {
        return 0;
    }
    int n = term_colors(fileno(f));
    /* Asked for although the terminal is unknown: what all of them have. */
    return n < 8 && c->color == COLOR_ALWAYS ? 8 : n < 8 ? 0 : n;
}
