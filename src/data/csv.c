/* SPDX-License-Identifier: MIT */
/*
 * Rows of numbers.  The file is cut into lines here and each line is taken
 * apart by libcsv: so a line number is always known, the memory is bounded, and
 * an unclosed quote spoils one line and not the rest of the file.
 */
#include "config.h"

#include "data/reader.h"

#include <csv.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "fmnist/mem.h"

enum {
    MAX_LINE = 1 << 16, /* 785 fields take some 3 KB, padded ones 10 KB */
    BUFFER = 1 << 18,
    MAX_FIELDS = IMAGE_PIXELS + 1,
    MAX_SHOWN = 40, /* bytes of a value quoted in a message */
    NO_FIELD = -1,
};

struct csv_state {
    struct reader *r;
    struct err *e;
    const char *path;
    unsigned long line; /* from 1 */
    unsigned long row;  /* from 1, headers not counted */
    int width;          /* fields a row must have; 0 before the first row of a
                           file whose labels may be missing */
    int begun;          /* the first row, maybe a header, is behind us */
    int rc;             /* the first failure; nothing is read after it */

    /* The present row. */
    int done; /* libcsv has seen its end */
    int n;    /* fields so far; only the first MAX_FIELDS are kept */
    int numbers;
    int label_first; /* the first field is the word "label" */
    int bad;         /* the first field that is no integer 0-255 */
    int bad_len, bad_nul, bad_cut;
    char bad_text[MAX_SHOWN];
    uint8_t value[MAX_FIELDS];
};

/* An integer 0-255 in plain digits, else -1. */
static int
parse_byte(const unsigned char *p, size_t n)
{
    unsigned v = 0;
    size_t i;

    if (n == 0)
        return -1;
    for (i = 0; i < n; i++) {
        unsigned digit = p[i] - (unsigned)'0';

        if (digit > 9)
            return -1;
        v = v * 10 + digit;
        if (v > 255)
            return -1;
    }
    return (int)v;
}

/* Keeps the beginning of a value for the message. */
static void
keep_bad(struct csv_state *s, const void *field, size_t n)
{
    s->bad = s->n;
    s->bad_len = n < MAX_SHOWN ? (int)n : MAX_SHOWN;
    s->bad_nul = n > 0 && memchr(field, 0, n) != NULL;
    s->bad_cut = n > MAX_SHOWN;
    memcpy(s->bad_text, field, (size_t)s->bad_len);
    /* A UTF-8 character is not cut in two. */
    if (s->bad_cut) {
        while (s->bad_len > MAX_SHOWN - 4 &&
               ((const unsigned char *)field)[s->bad_len] >> 6 == 2)
            s->bad_len--;
    }
}

static void
on_field(void *field, size_t n, void *arg)
{
    struct csv_state *s = arg;
    int v = parse_byte(field, n);

    if (s->n == 0)
        s->label_first = n == 5 && strncasecmp(field, "label", 5) == 0;
    if (v >= 0) {
        s->numbers++;
        if (s->n < MAX_FIELDS)
            s->value[s->n] = (uint8_t)v;
    } else if (s->bad == NO_FIELD) {
        keep_bad(s, field, n);
    }
    s->n++;
}

static void
begin_row(struct csv_state *s)
{
    s->n = s->numbers = s->label_first = 0;
    s->bad = NO_FIELD;
}

static int
has_labels(const struct csv_state *s)
{
    return s->width != IMAGE_PIXELS;
}

/* "label" or "pixelN" for the field with this index. */
static void
field_name(const struct csv_state *s, int field, char out[24])
{
    if (has_labels(s) && field == 0)
        strcpy(out, "label");
    else
        snprintf(out, 24, "pixel%d", field + !has_labels(s));
}

static int
value_fault(struct csv_state *s)
{
    const char *range = has_labels(s) && s->bad == 0 ? "0–9" : "0–255";
    char name[24];

    field_name(s, s->bad, name);
    if (s->bad_nul)
        return reader_fault(s->r, s->e,
                            "%s:%lu: row %lu, field %s: expected an integer "
                            "%s, found a NUL byte",
                            s->path, s->line, s->row, name, range);
    return reader_fault(s->r, s->e,
                        "%s:%lu: row %lu, field %s: expected an integer %s, "
                        "found \"%.*s%s\"",
                        s->path, s->line, s->row, name, range, s->bad_len,
                        s->bad_text, s->bad_cut ? "…" : "");
}

/* Refuses a row for the number of its fields. */
static int
check_width(struct csv_state *s, const char *what)
{
    if (s->width == 0 && (s->n == IMAGE_PIXELS || s->n == MAX_FIELDS))
        s->width = s->n;
    if (s->n == s->width)
        return 0;
    s->rc = reader_fault(s->r, s->e, "%s:%lu: %s: expected %s fields, found %d",
                         s->path, s->line, what,
                         s->width == 0              ? "784 or 785"
                         : s->width == IMAGE_PIXELS ? "784"
                                                    : "785",
                         s->n);
    return -1;
}

/* The first row is a header if it begins with "label" or has no number. */
static int
take_header(struct csv_state *s)
{
    int first = !s->begun;

    s->begun = 1;
    if (!first || !(s->label_first || s->numbers == 0))
        return 0;
    (void)check_width(s, "header");
    return 1;
}

static void
append(struct csv_state *s)
{
    struct dataset *d = s->r->d;
    int label = has_labels(s);

    s->rc = reader_reserve(s->r, 1, s->e);
    if (s->rc < 0)
        return;
    if (label)
        d->labels[d->n] = s->value[0];
    memcpy(d->pixels + (size_t)d->n * IMAGE_PIXELS, s->value + label,
           IMAGE_PIXELS);
    d->n++;
}

static void
take_row(struct csv_state *s)
{
    char what[40], digits[8];

    if (take_header(s))
        return;
    s->row++;
    snprintf(what, sizeof(what), "row %lu", s->row);
    if (s->label_first) {
        s->rc = reader_fault(s->r, s->e,
                             "%s:%lu: row %lu: a header in the middle of the "
                             "file",
                             s->path, s->line, s->row);
    } else if (check_width(s, what) < 0) {
        return;
    } else if (s->bad != NO_FIELD) {
        s->rc = value_fault(s);
    } else if (has_labels(s) && s->value[0] >= N_CLASSES) {
        snprintf(digits, sizeof(digits), "%d", s->value[0]);
        s->n = 0;
        keep_bad(s, digits, strlen(digits));
        s->rc = value_fault(s);
    } else {
        append(s);
    }
}

static void
on_row(int c, void *arg)
{
    struct csv_state *s = arg;

    (void)c;
    s->done = 1;
    if (s->rc == 0)
        take_row(s);
    begin_row(s);
}

static int
is_blank(const char *p, size_t n)
{
    while (n > 0 && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) {
        p++;
        n--;
    }
    return n == 0;
}

/*
 * The quick way for a row as the program itself writes it: `width` plain
 * numbers with commas between, then LF or CR LF.  Anything else, right or
 * wrong, is left to libcsv: returns 0 and changes nothing that counts.
 */
static int
plain_row(struct csv_state *s, const char *p)
{
    unsigned v, digit;
    int i;

    for (i = 0; i < s->width; i++) {
        v = *p++ - (unsigned)'0';
        if (v > 9)
            return 0;
        digit = *p - (unsigned)'0';
        if (digit <= 9) {
            v = v * 10 + digit;
            digit = *++p - (unsigned)'0';
            if (digit <= 9) {
                v = v * 10 + digit;
                p++;
            }
        }
        if (v > 255)
            return 0;
        s->value[i] = (uint8_t)v;
        if (i < s->width - 1 && *p++ != ',')
            return 0;
    }
    p += *p == '\r';
    return s->width > 0 && *p == '\n' &&
           (!has_labels(s) || s->value[0] < N_CLASSES);
}

/* One line with its newline. */
static int
parse_line(struct csv_parser *p, struct csv_state *s, const char *line,
           size_t n)
{
    char name[24];

    s->line++;
    if (plain_row(s, line)) {
        s->begun = 1;
        s->row++;
        append(s);
        return s->rc;
    }
    s->done = 0;
    if (csv_parse(p, line, n, on_field, on_row, s) != n)
        return err_nomem(s->e, "a CSV field", n);
    if (s->rc < 0)
        return s->rc;
    if (!s->done && !is_blank(line, n)) {
        s->row++;
        s->begun = 1;
        field_name(s, s->n, name);
        s->rc = reader_fault(s->r, s->e,
                             "%s:%lu: row %lu, field %s: the quote is not "
                             "closed",
                             s->path, s->line, s->row, name);
        (void)csv_fini(p, NULL, NULL, NULL);
        begin_row(s);
    }
    return s->rc;
}

/* A line that does not fit: its beginning has been dropped. */
static int
refuse_line(struct csv_state *s)
{
    s->line++;
    s->row++;
    s->begun = 1;
    return reader_fault(s->r, s->e,
                        "%s:%lu: row %lu: the line is longer than %d bytes",
                        s->path, s->line, s->row, MAX_LINE);
}

/* Cuts the input into lines; buf has BUFFER + 1 bytes. */
static int
read_lines(struct csv_parser *p, struct csv_state *s, struct input *in,
           char *buf)
{
    size_t len = 0, n;
    int skipping = 0, rc = 0, last;
    char *at, *end;
    long got;

    do {
        got = input_read(in, buf + len, BUFFER - len, s->e);
        if (got < 0)
            return (int)got;
        last = (size_t)got < BUFFER - len;
        len += (size_t)got;
        at = buf;
        if (s->line == 0 && len >= 3 && memcmp(buf, "\xEF\xBB\xBF", 3) == 0)
            at += 3;
        if (last && len > 0 && buf[len - 1] != '\n')
            buf[len++] = '\n';
        while (rc == 0 && (end = memchr(at, '\n', (size_t)(buf + len - at)))) {
            n = (size_t)(end + 1 - at);
            if (!skipping)
                rc = n > MAX_LINE ? refuse_line(s) : parse_line(p, s, at, n);
            skipping = 0;
            at = end + 1;
        }
        len = (size_t)(buf + len - at);
        if (rc == 0 && len > MAX_LINE) {
            if (!skipping)
                rc = refuse_line(s);
            skipping = 1;
        }
        if (skipping)
            len = 0;
        memmove(buf, at, len);
    } while (rc == 0 && !last);
    return rc;
}

static void *
csv_resize(void *p, size_t n)
{
    return mem_resize(p, n, 1);
}

int
reader_csv(struct reader *r, struct input *in, struct err *e)
{
    struct csv_state s = {.r = r,
                          .e = e,
                          .path = input_path(in),
                          .width = r->unlabelled ? 0 : MAX_FIELDS,
                          .bad = NO_FIELD};
    struct csv_parser p;
    char *buf = mem_alloc(BUFFER + 1);
    int rc;

    if (!buf)
        return err_nomem(e, "a read buffer", BUFFER + 1);
    (void)csv_init(&p, 0);
    csv_set_realloc_func(&p, csv_resize);
    csv_set_free_func(&p, mem_free);
    rc = read_lines(&p, &s, in, buf);
    if (rc == 0 && s.line == 0)
        rc = err_set(e, ERR_FAIL, "%s: the file is empty", s.path);
    else if (rc == 0 && s.row == 0)
        rc = err_set(e, ERR_FAIL, "%s: no rows of data", s.path);
    csv_free(&p);
    mem_free(buf);
    if (rc == 0 && !has_labels(&s)) {
        mem_free(r->d->labels);
        r->d->labels = NULL;
    }
    return rc;
}
