/* SPDX-License-Identifier: MIT */
/*
 * Commands and their options: one table parses the command line, writes
 * --help, and is held against the man page by a test (--help=all dumps it).
 *
 * A command is a file cmd_NAME.c that ends in its `const struct cli_command`,
 * and a line in commands.c.
 */
#ifndef FMNIST_CLI_CLI_H
#define FMNIST_CLI_CLI_H

#include <stdint.h>
#include <stdio.h>

#include "fmnist/err.h"
#include "fmnist/store.h"

enum cli_type { CLI_FLAG, CLI_TEXT, CLI_INT, CLI_REAL, CLI_CHOICE };

/* What an option is about; sets its place in the help. */
enum cli_section { CLI_OWN, CLI_HYPER, CLI_OUTPUT, CLI_GLOBAL };

/*
 * One option.  Its value is checked against type and range before the command
 * runs.  The last of several wins, unless `repeat`.
 */
struct cli_option {
    const char *name; /* "columns", given as --columns; "" if only a letter */
    char letter;      /* 'n', or 0 */
    enum cli_type type;
    const char *arg;            /* "LIST" in the help; NULL for a flag */
    const char *help;           /* one line, lower case, no full stop */
    double min, max;            /* inclusive, of numbers */
    const char *const *choices; /* NULL-ended; the value is the index */
    const char *preset;         /* the default as the help shows it, or NULL */
    int repeat;                 /* 1: all values count */
    enum cli_section section;   /* commands leave it 0 */
    const struct hyper_field *field; /* of a hyperparameter */
};

#define CLI_TAKES_HYPER 1u  /* every hyperparameter option, --data, --threads */
#define CLI_TAKES_OUTPUT 2u /* --json --csv --columns -q */
#define CLI_TAKES_RUNS 4u   /* --filter; operands are RUNs, see cli_runs */

enum cli_group {
    GROUP_TRAIN,
    GROUP_QUEUE,
    GROUP_LOOK,
    GROUP_EVALUATE,
    GROUP_KEEP,
    GROUP_DATA,
    GROUP_DB,
    N_GROUPS
};

struct cli;

struct cli_command {
    const char *name;     /* "train"; "data split" is two words */
    const char *operands; /* "RUN..." for the usage line; "" for none */
    const char *summary;  /* one line for --help */
    enum cli_group group;
    const struct cli_option *options; /* ends with name NULL; NULL: none */
    unsigned takes;
    int min, max; /* how many operands; max -1: any number */
    /* What can be said of the options alone; called before the operands are
     * counted.  May be NULL. */
    int (*check)(const struct cli *c, struct err *e);
    const char *notes;    /* more text for the command's --help, or NULL */
    const char *examples; /* lines, each ended by \n */
    /* 0 or a negative err_code: ERR_USAGE is exit 2, ERR_CANCEL with c->signal
     * 128 + that, all else 1. */
    int (*run)(struct cli *c, struct err *e);
};

/* In the order of --help, NULL-ended. */
extern const struct cli_command *const CLI_COMMANDS[];

enum cli_color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

#define CLI_MAX_OPTIONS 64

/* All options that a command takes, the global ones last. */
struct cli_options {
    int n;
    struct cli_option all[CLI_MAX_OPTIONS];
};

struct cli_value {
    const struct cli_option *option; /* in struct cli's options */
    const char *text;                /* NULL for a flag */
};

/* The process's one command: what was typed, and where to write. */
struct cli {
    const struct cli_command *command; /* NULL: none was named */
    int argc;                          /* operands */
    char **argv;
    const char *db; /* --db, or NULL */
    enum cli_color color;
    int ascii;           /* --ascii, or the locale is not UTF-8 */
    int quiet;           /* --quiet: no messages, no progress */
    int read_only;       /* --read-only */
    FILE *out;           /* stdout: data */
    FILE *log;           /* stderr: messages, progress */
    struct store *store; /* opened by cli_store */
    int signal;          /* the signal that ended the work, or 0 */

    struct cli_options options;
    struct cli_value *values;
    int n_values;
};

/* ---- what was typed ---------------------------------------------------- */

int cli_given(const struct cli *c, const char *option);
/* The value of an option, or NULL / the default where it was not given. */
const char *cli_text(const struct cli *c, const char *option);
long long cli_int(const struct cli *c, const char *option, long long none);
double cli_real(const struct cli *c, const char *option, double none);
int cli_choice(const struct cli *c, const char *option, int none);
/* The i-th value of a repeatable option, or NULL after the last. */
const char *cli_nth(const struct cli *c, const char *option, int i);

/* The hyperparameters that were typed: preset (default "ann") or spec first,
 * then the rest; checked together. */
int cli_hyper(const struct cli *c, struct hyper *out, struct err *e) MUST_CHECK;
/* The same as changes of *h. */
int cli_hyper_change(const struct cli *c, struct hyper *h,
                     struct err *e) MUST_CHECK;

/* ---- the database ------------------------------------------------------ */

/* Opens the database on first use; c->store is it.  Prints its notice.  With
 * --read-only STORE_WRITE is ERR_USAGE. */
int cli_store(struct cli *c, enum store_mode mode, struct err *e) MUST_CHECK;
/* The same for listings: where no database exists yet and none was named by
 * --db, *empty is 1 and c->store stays NULL. */
int cli_store_or_empty(struct cli *c, int *empty, struct err *e) MUST_CHECK;
/* For commands that change runs: opens it for writing, but makes none. */
int cli_store_existing(struct cli *c, struct err *e) MUST_CHECK;
/* The runs named by operands [0, n) and by --filter; at least one operand or
 * --filter is needed.  A filter may match none.  mem_free out->ids.  In the
 * order typed, each run once. */
int cli_runs(struct cli *c, int n, struct run_ids *out,
             struct err *e) MUST_CHECK;
/* The same, the filter looking into the trash instead. */
int cli_runs_in(struct cli *c, int n, int trash, struct run_ids *out,
                struct err *e) MUST_CHECK;
/* Exactly one run. */
int cli_run(struct cli *c, const char *word, int64_t *id,
            struct err *e) MUST_CHECK;

/* ---- messages and screens ---------------------------------------------- */

/* One line on stderr, control characters shown, unless --quiet. */
void cli_message(const struct cli *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The same, for warnings: --quiet does not silence it. */
void cli_warning(const struct cli *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Columns of the terminal that f is; $COLUMNS, else 0, where it is none. */
int cli_width(FILE *f);
/* Colours to use on f: 0 (none), 8, 16, 256 …; obeys --color, NO_COLOR, and
 * terminfo. */
int cli_colors(const struct cli *c, FILE *f);

/* ---- help --------------------------------------------------------------- */

void help_program(FILE *out);
void help_command(FILE *out, const struct cli_command *cmd);
/* Every command and option, one a line, fields separated by tabs. */
void help_dump(FILE *out);
void help_version(FILE *out);

/* The candidate (NULL-ended list) most like `word`, or NULL if none is. */
const char *cli_suggest(const char *word, const char *const *candidates);

/* ---- parsing: for main.c and the help ---------------------------------- */

/* Fills in all options that a command (NULL: none) takes. */
void cli_options_of(const struct cli_command *cmd, struct cli_options *out);
/* Parses argv into c; what it allocates lives as long as the process.
 * *help: 1 if --help was given, 2 for --help=all, 3 for --version. */
int cli_parse(struct cli *c, int argc, char **argv, int *help,
              struct err *e) MUST_CHECK;

#endif
