/* SPDX-License-Identifier: MIT */
/* Rows to people and programs: an aligned table, JSON, CSV, or ids. */
#ifndef FMNIST_CLI_OUTPUT_H
#define FMNIST_CLI_OUTPUT_H

#include "cli/cli.h"

/* How a value looks in a table.  JSON and CSV have the value itself. */
enum form {
    FORM_PLAIN,
    FORM_PERCENT, /* a fraction as "89.42 %" */
    FORM_LOSS,    /* four digits after the point */
    FORM_SECONDS, /* "12.3 s", "4m05s", "1h02m" */
    FORM_RATE,    /* "15.2k" */
    FORM_BYTES,   /* "24.1 MB" */
    FORM_TIME,    /* ISO-8601 without milliseconds */
    FORM_STATE,   /* symbol and word */
    FORM_EPOCH,   /* "k/N": two columns */
};

struct output_column {
    const char *name;  /* of the row */
    const char *title; /* heading; NULL: name */
    enum form form;
    const char *second; /* FORM_EPOCH: the column with N */
    int leaves; /* on a narrow screen the highest leaves first; 0: never */
};

enum output_mode { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_CSV, OUTPUT_IDS };

struct output_spec {
    const struct output_column *columns; /* of the table; NULL: all, each in the
                                            form that its name suggests */
    int n_columns;
    int raw;        /* every value as it is, whatever its name */
    int single;     /* --json: one object, not an array */
    const char *id; /* the column that -q prints; NULL: "id" */
};

/* What the options of CLI_TAKES_OUTPUT ask for; more than one is ERR_USAGE. */
int output_mode(const struct cli *c, enum output_mode *mode,
                struct err *e) MUST_CHECK;
/* --columns as a NULL-ended list of names (mem_free it: one block), or NULL
 * where it was not given. */
int output_columns(const struct cli *c, char ***out, int *n,
                   struct err *e) MUST_CHECK;

/*
 * Writes rows to c->out as they come (a table after the first 1,000, which
 * decide its widths).  output_row is a row_fn with the struct output as arg; a
 * row without cells gives the header of an empty listing.  An output that
 * cannot be written ends it with ERR_IO.
 */
struct output;
int output_open(struct cli *c, const struct output_spec *spec,
                struct output **out, struct err *e) MUST_CHECK;
int output_row(const struct row *r, void *output, struct err *e) MUST_CHECK;
/* Writes what is left (also "[]" for no rows at all) and frees o. */
int output_close(struct output *o, struct err *e) MUST_CHECK;
void output_free(struct output *o); /* after a failure; NULL is fine */
uint64_t output_rows(const struct output *o); /* so far */

/* Pieces, for commands that lay out text of their own. */
void output_cell(struct str *b, const struct cell *cell); /* as in CSV, raw */
void output_json_cell(struct str *b, const struct cell *cell);
/* "name": value, … of all cells, without braces. */
void output_json_members(struct str *b, const struct row *r);
void output_form(struct str *b, enum form form, const struct cell *cell,
                 int ascii);
/* The form that a column's name suggests. */
enum form output_form_of(const char *column);
void format_percent(struct str *b, double fraction);
void format_seconds(struct str *b, double seconds);
void format_rate(struct str *b, double per_second);
void format_bytes(struct str *b, double bytes);
/* The sign of a state: "✓", or "+" if ascii; "?" if unknown. */
const char *state_symbol(const char *status, int ascii);
/* Its colour as an SGR sequence, or NULL: never the only sign. */
const char *state_paint(const char *status);

/* Writes b to c->out and clears it; ERR_IO, or ERR_NOMEM if b overflowed. */
int output_text(struct cli *c, struct str *b, struct err *e) MUST_CHECK;

#endif
