/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "fmnist/art.h"

#include <math.h>

#define NAME_COLS 11
#define HEAT_RAMP " .:-=+*#%@"

static const char SGR_END[] = "\x1b[0m";

/* A scale from pale to strong that stays readable in black and is told apart
 * by colour-blind eyes (one hue, falling lightness). */
static const int HEAT_256[6] = {0, 230, 223, 216, 209, 202};

/* A blank, then the beginning of a name, at the right of `cols` columns. */
static void
add_letters(struct str *out, const char *name, int cols)
{
    struct str all, cut;
    str_init(&all);
    str_init(&cut);
    str_add_visible(&all, name);
    /* No mark of the cut: the names stand in full at the left. */
    for (const char *p = all.s; *p;) {
        size_t before = cut.len;
        do {
            str_addc(&cut, *p++);
        } while (((unsigned char)*p & 0xc0) == 0x80);
        if (str_width(cut.s) > cols) {
            cut.s[cut.len = before] = '\0';
            break;
        }
    }
    str_addf(out, " %*s%s", cols - str_width(cut.s), "", cut.s);
    str_release(&all);
    str_release(&cut);
}

static double
cell_value(const struct confusion *c, const struct class_metrics *m, int t,
           int p, enum art_cells cells)
{
    double n = c->count[t][p];
    switch (cells) {
    case ART_COUNTS:
        return n;
    case ART_ROW_PERCENT:
        return m[t].support ? 100.0 * n / m[t].support : 0;
    case ART_COLUMN_PERCENT:
        return m[p].predicted ? 100.0 * n / m[p].predicted : 0;
    }
    return 0;
}

/* What all cells share: the value of full heat, and digits in a cell. */
struct cell_scale {
    double top;
    int digits;
};

static int
digits_of(double v)
{
    int n = 1;
    for (v += 0.5; v >= 10; v /= 10) { /* as %.0f rounds it */
        n++;
    }
    return n;
}

static struct cell_scale
scale_of(const struct confusion *c, const struct class_metrics *m,
         enum art_cells cells)
{
    struct cell_scale s = {0, 3};
    for (int t = 0; t < N_CLASSES; t++) {
        for (int p = 0; p < N_CLASSES; p++) {
            double v = cell_value(c, m, t, p, cells);
            /* The diagonal has no ramp character: one digit more fits. */
            int need = digits_of(v) - (t == p);
            s.top = t != p && v > s.top ? v : s.top;
            s.digits = need > s.digits ? need : s.digits;
        }
    }
    return s;
}

/* A blank, then the value; without colour a ramp character follows an error. */
static void
add_cell(struct str *out, double v, int diagonal, const struct cell_scale *sc,
         const struct art_style *s)
{
    double heat = !diagonal && sc->top > 0 ? v / sc->top : 0;
    const char *end = "";

    if (s->colors > 0 && diagonal) {
        str_add(out, "\x1b[1m");
        end = SGR_END;
    } else if (s->colors >= 256 && heat > 0) {
        int i = 1 + (int)(heat * 4 + 0.5);
        str_addf(out, "\x1b[30;48;5;%dm", HEAT_256[i]);
        end = SGR_END;
    }
    str_addc(out, ' ');
    int ramp = s->colors < 256 && !diagonal;
    int cols = sc->digits + !ramp;
    if (v == 0 && !diagonal) {
        str_addf(out, "%*s", cols, ".");
    } else {
        str_addf(out, "%*.0f", cols, v);
    }
    if (ramp) {
        str_addc(out, HEAT_RAMP[(int)(heat * 9 + 0.5)]);
    }
    str_add(out, end);
}

static void
add_ratio(struct str *out, double v)
{
    if (isnan(v)) {
        str_add(out, "     -");
    } else {
        str_addf(out, " %5.1f", 100 * v);
    }
}

void
art_confusion(const struct confusion *c,
              const char names[N_CLASSES][CLASS_NAME_MAX], enum art_cells cells,
              const struct art_style *style, struct str *out)
{
    struct class_metrics m[N_CLASSES];
    class_metrics_of(c, m);
    struct cell_scale scale = scale_of(c, m, cells);
    int letters = scale.digits + 1;

    str_addf(out, "%-*s", NAME_COLS, "truth");
    for (int p = 0; p < N_CLASSES; p++) {
        add_letters(out, names[p], letters);
    }
    str_add(out, " recall   F1\n");
    for (int t = 0; t < N_CLASSES; t++) {
        str_add_fit(out, names[t], NAME_COLS, !style->utf8);
        for (int p = 0; p < N_CLASSES; p++) {
            add_cell(out, cell_value(c, m, t, p, cells), t == p, &scale, style);
        }
        add_ratio(out, m[t].recall);
        add_ratio(out, m[t].f1);
        str_addc(out, '\n');
    }
    str_addf(out, "%-*s", NAME_COLS, "precision");
    for (int p = 0; p < N_CLASSES; p++) {
        if (isnan(m[p].precision)) {
            str_addf(out, " %*s", letters, "-");
        } else {
            str_addf(out, " %*.0f", letters, 100 * m[p].precision);
        }
    }
    str_addc(out, '\n');
}
