/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/output.h"

#include "fmnist/str.h"

static const struct cli_option OPTIONS[] = {{.name = "timeout",
                                             .type = CLI_REAL,
                                             .arg = "S",
                                             .min = 0.1,
                                             .max = 86400,
                                             .help = "give up after S seconds",
                                             .preset = "10"},
                                            {0}};

/* All of standard input. */
static int
read_query(struct str *b, struct err *e)
{
    char block[4096];
    size_t n;
    while ((n = fread(block, 1, sizeof(block), stdin)) > 0) {
        str_addn(b, block, n);
        if (b->len > 1 << 20) {
            return err_set(e, ERR_USAGE,
                           "sql: the query on standard input is "
                           "longer than 1 MiB");
        }
    }
    if (ferror(stdin)) {
        return err_sys(e, "sql: standard input");
    }
    return str_failed(b) ? err_nomem(e, "the query", b->len) : 0;
}

static int
run_sql(struct cli *c, struct err *e)
{
    static const struct output_spec spec = {.raw = 1};
    struct output *o = NULL;
    struct str stdin_text;

    str_init(&stdin_text);
    int rc = c->argc > 0 ? 0 : read_query(&stdin_text, e);
    if (!rc) {
        rc = cli_store(c, STORE_READ, e);
    }
    if (!rc) {
        rc = output_open(c, &spec, &o, e);
    }
    if (!rc) {
        const char *query = c->argc > 0 ? c->argv[0] : stdin_text.s;
        rc = store_sql(c->store, query, cli_real(c, "timeout", 10), output_row,
                       o, e);
    }
    if (!rc) {
        rc = output_close(o, e);
        o = NULL;
    }
    output_free(o);
    str_release(&stdin_text);
    return rc;
}

const struct cli_command cmd_sql = {
    .name = "sql",
    .operands = "[QUERY]",
    .summary = "query the run database (read-only)",
    .group = GROUP_LOOK,
    .options = OPTIONS,
    .takes = CLI_TAKES_OUTPUT,
    .min = 0,
    .max = 1,
    .notes = "Without QUERY it is read from standard input.  Tables and views "
             "are described in fmnist-tui-db(5).\n",
    .examples =
        "fmnist-tui sql \"select id, name, test_acc from leaderboard\"\n",
    .run = run_sql,
};
