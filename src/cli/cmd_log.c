/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/output.h"

struct messages {
    struct cli *c;
    struct str text;
    uint64_t n;
};

static int
take_message(const struct row *r, void *arg, struct err *e)
{
    struct messages *m = arg;
    if (!r->cells || r->n < 3) {
        return 0;
    }
    output_form(&m->text, FORM_TIME, &r->cells[0], m->c->ascii);
    str_add(&m->text, "  ");
    output_form(&m->text, FORM_PLAIN, &r->cells[1], m->c->ascii);
    str_add(&m->text, ": ");
    output_form(&m->text, FORM_PLAIN, &r->cells[2], m->c->ascii);
    str_addc(&m->text, '\n');
    m->n++;
    return output_text(m->c, &m->text, e);
}

static int
print_messages(struct cli *c, int64_t id, uint64_t *n, struct err *e)
{
    struct messages m = {.c = c};
    str_init(&m.text);
    int rc = store_run_rows(c->store, id, RUN_EVENTS, take_message, &m, e);
    str_release(&m.text);
    *n = m.n;
    return rc;
}

static int
run_log(struct cli *c, struct err *e)
{
    static const struct output_column COLUMNS[] = {
        {.name = "epoch"},
        {.name = "train_loss", .form = FORM_LOSS, .leaves = 4},
        {.name = "train_acc", .form = FORM_PERCENT, .leaves = 2},
        {.name = "val_loss", .form = FORM_LOSS, .leaves = 3},
        {.name = "val_acc", .form = FORM_PERCENT, .leaves = 1},
        {.name = "test_loss", .form = FORM_LOSS},
        {.name = "test_acc", .form = FORM_PERCENT},
        {.name = "lr", .leaves = 5},
        {.name = "seconds", .title = "time", .form = FORM_SECONDS, .leaves = 6},
        {.name = "samples_per_second",
         .title = "img/s",
         .form = FORM_RATE,
         .leaves = 7},
    };
    struct output_spec spec = {.columns = COLUMNS,
                               .n_columns = sizeof COLUMNS / sizeof COLUMNS[0],
                               .id = "epoch"};
    enum output_mode mode;
    struct output *o;
    uint64_t messages = 0;
    int64_t id;
    int rc = output_mode(c, &mode, e);
    if (rc == 0) {
        rc = cli_store(c, STORE_READ, e);
    }
    if (rc == 0) {
        rc = cli_run(c, c->argv[0], &id, e);
    }
    if (rc == 0 && cli_given(c, "follow")) {
        return follow_run(c, id, mode, e);
    }
    if (rc == 0 && mode == OUTPUT_TABLE && !cli_given(c, "columns")) {
        rc = print_messages(c, id, &messages, e);
    }
    if (rc == 0 && messages > 0) {
        fputc('\n', c->out);
    }
    if (rc == 0) {
        rc = output_open(c, &spec, &o, e);
    }
    if (rc) {
        return rc;
    }
    rc = store_run_rows(c->store, id, RUN_EPOCHS, output_row, o, e);
    if (rc) {
        output_free(o);
        return rc;
    }
    return output_close(o, e);
}

static int
check(const struct cli *c, struct err *e)
{
    return cli_given(c, "follow") && cli_given(c, "columns")
               ? err_set(e, ERR_USAGE, "--follow excludes --columns")
               : 0;
}

static const struct cli_option OPTIONS[] = {
    {.name = "follow",
     .letter = 'f',
     .help = "go on with what comes, until the run has ended"},
    {.name = NULL},
};

const struct cli_command cmd_log = {
    .name = "log",
    .operands = "RUN",
    .summary = "the messages of a run and a table of its epochs",
    .group = GROUP_LOOK,
    .options = OPTIONS,
    .takes = CLI_TAKES_OUTPUT,
    .check = check,
    .min = 1,
    .max = 1,
    .notes = "--json and --csv have the epochs only; -q their numbers.",
    .examples = "fmnist-tui log @last\n"
                "fmnist-tui log 17 --follow\n"
                "fmnist-tui log 17 --csv --columns epoch,test_acc\n",
    .run = run_log,
};
