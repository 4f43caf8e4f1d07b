/* SPDX-License-Identifier: MIT */
/* The part of str.h that makes text safe or fitting for where it goes. */
#include "config.h"

#include "fmnist/str.h"

#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include "base/utf8.h"

int
utf8_decode(const char *s, uint32_t *cp)
{
    static const uint32_t LEAST[5] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)s;
    uint32_t c = p[0];
    int i, len;

    *cp = c;
    if (c < 0x80)
        return 1;
    *cp = UTF8_BAD;
    if (c < 0xC2 || c > 0xF4)
        return 1;
    len = c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    c &= 0x7FU >> len;
    for (i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 1;
        c = c << 6 | (p[i] & 0x3F);
    }
    if (c < LEAST[len] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
        return 1;
    *cp = c;
    return len;
}

void
str_add_visible(struct str *b, const char *s)
{
    uint32_t cp;
    int len;

    for (; *s; s += len) {
        len = utf8_decode(s, &cp);
        if (cp < 0x20 || cp == 0x7F) {
            str_addc(b, '^');
            str_addc(b, (char)(cp ^ 0x40));
        } else if (cp == UTF8_BAD) {
            str_addf(b, "<%02x>", (unsigned char)*s);
        } else if (cp >= 0x80 && cp < 0xA0) {
            str_addf(b, "<%02x>", (unsigned)cp);
        } else {
            str_addn(b, s, (size_t)len);
        }
    }
}

void
str_add_json(struct str *b, const char *s)
{
    static const char SHORT[] = "\b\f\n\r\t\"\\";
    static const char LETTER[] = "bfnrt\"\\";
    const char *at;
    uint32_t cp;
    int len;

    str_addc(b, '"');
    for (; *s; s += len) {
        len = utf8_decode(s, &cp);
        at = strchr(SHORT, *s);
        if (at) {
            str_addc(b, '\\');
            str_addc(b, LETTER[at - SHORT]);
        } else if (cp == UTF8_BAD) {
            str_add(b, "\xEF\xBF\xBD");
        } else if (cp < 0x20 || (cp >= 0x7F && cp < 0xA0)) {
            str_addf(b, "\\u%04x", (unsigned)cp);
        } else {
            str_addn(b, s, (size_t)len);
        }
    }
    str_addc(b, '"');
}

/* Appends s between two quotes, each such quote within it replaced by `to`. */
static void
add_quoted(struct str *b, const char *s, char quote, const char *to)
{
    str_addc(b, quote);
    for (; *s; s++) {
        if (*s == quote)
            str_add(b, to);
        else
            str_addc(b, *s);
    }
    str_addc(b, quote);
}

void
str_add_csv(struct str *b, const char *s)
{
    size_t len = strlen(s);

    if (s[strcspn(s, "\",\r\n")] ||
        (len && (s[0] == ' ' || s[0] == '\t' || s[len - 1] == ' ' ||
                 s[len - 1] == '\t')))
        add_quoted(b, s, '"', "\"\"");
    else
        str_addn(b, s, len);
}

void
str_add_shell(struct str *b, const char *s)
{
    static const char SAFE[] = "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789_-+=./:,@%^";

    /* A leading ~ or = is not safe in every shell; neither is "". */
    if (*s && *s != '=' && !s[strspn(s, SAFE)])
        str_add(b, s);
    else
        add_quoted(b, s, '\'', "'\\''");
}

/* Columns of one decoded character; what has no width of its own takes one. */
static int
columns(uint32_t cp)
{
    int w = cp == UTF8_BAD ? 1 : wcwidth((wchar_t)cp);

    return w < 0 ? 1 : w;
}

int
str_width(const char *s)
{
    int width = 0;
    uint32_t cp;

    while (*s) {
        s += utf8_decode(s, &cp);
        width += columns(cp);
    }
    return width;
}

/* Bytes of the longest beginning of s that takes at most `cols` columns, and
 * the columns it takes. */
static size_t
fitting(const char *s, int cols, int *used)
{
    const char *p = s;
    uint32_t cp;
    int len;

    *used = 0;
    while (*p) {
        len = utf8_decode(p, &cp);
        if (*used + columns(cp) > cols)
            break;
        *used += columns(cp);
        p += len;
    }
    return (size_t)(p - s);
}

void
str_add_fit(struct str *b, const char *s, int cols, int ascii)
{
    struct str v;
    int used;
    size_t n;

    if (cols <= 0)
        return;
    str_init(&v);
    str_add_visible(&v, s);
    b->oom |= v.oom;
    n = fitting(v.s, cols, &used);
    if (v.s[n]) {
        n = fitting(v.s, cols - 1, &used);
        str_addn(b, v.s, n);
        str_add(b, ascii ? ">" : "\xE2\x80\xA6");
        used++;
    } else {
        str_addn(b, v.s, n);
    }
    for (; used < cols; used++)
        str_addc(b, ' ');
    str_release(&v);
}
