/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "fmnist/art.h"

static const struct art_style PLAIN = {0, 0, 0};
static const struct art_style FULL_COLOR = {256, 1, 0};

/* A garment of one brightness on a blank ground, 14 x 14 in the middle. */
static void
make_square(uint8_t *px, int value)
{
    memset(px, 0, IMAGE_PIXELS);
    for (int y = 7; y < 21; y++) {
        memset(px + y * IMAGE_SIDE + 7, value, 14);
    }
}

static int
count_ink(const uint8_t *levels, int n)
{
    int ink = 0;
    for (int i = 0; i < n; i++) {
        ink += levels[i] > 0;
    }
    return ink;
}

START_TEST(blank_image_is_blank)
{
    uint8_t px[IMAGE_PIXELS], out[28 * 28];
    memset(px, 12, sizeof(px));
    art_levels(px, ART_FULL, 1, 24, out);
    ck_assert_int_eq(count_ink(out, 28 * 28), 0);
}
END_TEST

START_TEST(ink_is_never_blank)
{
    uint8_t px[IMAGE_PIXELS], out[28 * 28];
    for (int value = 13; value < 256; value++) {
        make_square(px, value);
        art_levels(px, ART_FULL, 1, 10, out);
        ck_assert_int_eq(count_ink(out, 28 * 28), 14 * 14);
    }
}
END_TEST

START_TEST(contrast_is_stretched)
{
    uint8_t px[IMAGE_PIXELS] = {0}, out[28 * 28];
    for (int i = 0; i < 200; i++) {
        px[i] = (uint8_t)(100 + i / 4); /* 100 … 149 */
    }
    art_levels(px, ART_FULL, 1, 10, out);
    ck_assert_int_eq(out[0], 1);
    ck_assert_int_eq(out[199], 9);
    for (int i = 1; i < 200; i++) {
        ck_assert_int_ge(out[i], out[i - 1]);
    }
}
END_TEST

START_TEST(rows_have_exact_width)
{
    uint8_t px[IMAGE_PIXELS];
    struct art_image a;
    struct str s;
    str_init(&s);
    make_square(px, 200);
    for (int size = ART_FULL; size <= ART_SHEET; size++) {
        art_image_init(&a, px, (enum art_size)size, &PLAIN);
        for (int r = 0; r < art_rows((enum art_size)size); r++) {
            str_clear(&s);
            art_image_row(&a, r, &s);
            ck_assert_int_eq((int)s.len, art_cols((enum art_size)size));
        }
    }
    str_release(&s);
}
END_TEST

START_TEST(half_blocks_show_every_pixel)
{
    uint8_t px[IMAGE_PIXELS] = {0};
    struct art_image a;
    struct str s;
    px[0] = 255;              /* upper half of cell 0 */
    px[IMAGE_SIDE + 1] = 255; /* lower half of cell 1 */
    str_init(&s);
    art_image_init(&a, px, ART_FULL, &FULL_COLOR);
    art_image_row(&a, 0, &s);
    const char *up = strstr(s.s, "▀"), *down = strstr(s.s, "▄");
    ck_assert_ptr_nonnull(up);
    ck_assert_ptr_nonnull(down);
    ck_assert(up < down);
    ck_assert_ptr_null(strstr(s.s, "48;5")); /* the ground is the terminal's */
    str_release(&s);
}
END_TEST

START_TEST(tiles_wrap_and_have_captions)
{
    struct art_tile t[3];
    struct str s;
    memset(t, 0, sizeof(t));
    for (int i = 0; i < 3; i++) {
        make_square(t[i].pixels, 100 + 50 * i);
        strcpy(t[i].truth, "Shirt");
        strcpy(t[i].predicted, "x T-shirt 93%");
    }
    str_init(&s);
    art_tiles(t, 3, ART_SHEET, &PLAIN, 30, &s); /* two across */
    int lines = 0, longest = 0, here = 0, captions = 0;
    for (const char *p = s.s; *p; p++) {
        here = *p == '\n' ? 0 : here + 1;
        lines += *p == '\n';
        longest = here > longest ? here : longest;
    }
    for (const char *p = s.s; (p = strstr(p, "93%")); p++) {
        captions++;
    }
    ck_assert_int_eq(lines, 2 * 9 + 1);
    ck_assert_int_le(longest, 30);
    ck_assert_int_eq(captions, 3);
    str_release(&s);
}
END_TEST

static const char NAMES[N_CLASSES][CLASS_NAME_MAX] = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

static int
longest_line(const char *s)
{
    int longest = 0;
    while (*s) {
        const char *end = strchr(s, '\n');
        int n = (int)(end - s);
        longest = n > longest ? n : longest;
        s = end + 1;
    }
    return longest;
}

START_TEST(confusion_fits_75_columns)
{
    struct confusion c;
    struct str s;
    str_init(&s);
    for (int t = 0; t < N_CLASSES; t++) {
        for (int p = 0; p < N_CLASSES; p++) {
            c.count[t][p] = t == p ? 1000 : 999;
        }
    }
    art_confusion(&c, NAMES, ART_COUNTS, &PLAIN, &s);
    ck_assert_int_le(longest_line(s.s), 75);
    ck_assert_ptr_nonnull(strstr(s.s, " 1000 999@"));
    str_release(&s);
}
END_TEST

START_TEST(confusion_grows_rather_than_overflows)
{
    struct confusion c;
    struct str s;
    str_init(&s);
    for (int t = 0; t < N_CLASSES; t++) {
        for (int p = 0; p < N_CLASSES; p++) {
            c.count[t][p] = 4000000000u;
        }
    }
    art_confusion(&c, NAMES, ART_COUNTS, &PLAIN, &s);
    ck_assert_ptr_nonnull(strstr(s.s, " 4000000000 4000000000@"));
    str_release(&s);
}
END_TEST

START_TEST(confusion_without_predictions_has_no_ratio)
{
    struct confusion c;
    struct str s;
    str_init(&s);
    confusion_clear(&c);
    confusion_add(&c, 0, 0);
    art_confusion(&c, NAMES, ART_ROW_PERCENT, &PLAIN, &s);
    ck_assert_ptr_nonnull(strstr(s.s, "    -"));
    ck_assert_ptr_nonnull(strstr(s.s, "100.0"));
    ck_assert_ptr_null(strstr(s.s, "nan"));
    str_release(&s);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("art");
    TCase *t = tcase_create("art");
    tcase_add_test(t, blank_image_is_blank);
    tcase_add_test(t, ink_is_never_blank);
    tcase_add_test(t, contrast_is_stretched);
    tcase_add_test(t, rows_have_exact_width);
    tcase_add_test(t, half_blocks_show_every_pixel);
    tcase_add_test(t, tiles_wrap_and_have_captions);
    tcase_add_test(t, confusion_fits_75_columns);
    tcase_add_test(t, confusion_grows_rather_than_overflows);
    tcase_add_test(t, confusion_without_predictions_has_no_ratio);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
