/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fmnist/augment.h"
#include "fmnist/batch.h"
#include "fmnist/mem.h"
#include "images.h"
#include "support.h"

enum { N = 103 };

static struct dataset *d;
static uint32_t images[N];

static void
setup(void)
{
    uint32_t i;

    d = images_new(2 * N);
    for (i = 0; i < N; i++)
        images[i] = 2 * i + 1;
}

static void
teardown(void)
{
    dataset_free(d);
}

START_TEST(augment_texts)
{
    static const char *const BAD[] = {"shift",
                                      "shift:",
                                      "shift:28",
                                      "shift:-1",
                                      "shift:1.5",
                                      "flip:1",
                                      "erase:29",
                                      "shift:1+",
                                      "+flip",
                                      "rotate:3",
                                      "flip+flip",
                                      "Flip",
                                      "shift:2 + flip",
                                      "flip,",
                                      "shift:0x2",
                                      "erase:999999999999999999999",
                                      "none+flip",
                                      "flipp",
                                      "fli"};
    static const struct {
        const char *in, *out;
    } GOOD[] = {{"", "none"},
                {"none", "none"},
                {"erase:4+flip+shift:2", "shift:2+flip+erase:4"},
                {"flip", "flip"},
                {"shift:27", "shift:27"},
                {"flip+erase:28", "flip+erase:28"},
                {"shift:0", "none"}};
    struct augment a;
    struct err e = {0};
    char text[AUGMENT_TEXT];
    size_t i;

    for (i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        e.msg[0] = '\0';
        ck_assert_msg(augment_parse(BAD[i], &a, &e) == ERR_USAGE, "%s", BAD[i]);
        ck_assert_str_ne(e.msg, "");
    }
    for (i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++) {
        ck_assert_msg(augment_parse(GOOD[i].in, &a, &e) == 0, "%s", e.msg);
        augment_format(&a, text);
        ck_assert_str_eq(text, GOOD[i].out);
        ck_assert_int_eq(augment_is_none(&a), strcmp(text, "none") == 0);
    }
}
END_TEST

/* Where the only non-zero pixel of p is, or -1. */
static int
find_dot(const uint8_t *p)
{
    int i, at = -1;

    for (i = 0; i < IMAGE_PIXELS; i++) {
        if (p[i]) {
            ck_assert_int_eq(at, -1);
            at = i;
        }
    }
    return at;
}

START_TEST(augment_shift_and_flip)
{
    const struct rng r = {.seed = 3, .stream = RNG_AUGMENT, .epoch = 1};
    const struct augment shift = {.shift = 2}, flip = {.flip = 1};
    uint8_t src[IMAGE_PIXELS] = {0}, dst[IMAGE_PIXELS];
    int seen[5][5] = {{0}}, flipped = 0, i, at, x, y;

    src[10 * IMAGE_SIDE + 9] = 200;
    for (i = 0; i < 2000; i++) {
        augment_apply(&shift, &r, (uint64_t)i, dst, src);
        at = find_dot(dst);
        x = at % IMAGE_SIDE - 9;
        y = at / IMAGE_SIDE - 10;
        ck_assert(x >= -2 && x <= 2 && y >= -2 && y <= 2);
        seen[y + 2][x + 2]++;
        augment_apply(&flip, &r, (uint64_t)i, dst, src);
        at = find_dot(dst);
        ck_assert(at == 10 * IMAGE_SIDE + 9 || at == 10 * IMAGE_SIDE + 18);
        flipped += at == 10 * IMAGE_SIDE + 18;
    }
    for (i = 0; i < 25; i++)
        ck_assert_int_gt(seen[i / 5][i % 5], 40);
    ck_assert(flipped > 880 && flipped < 1120);
}
END_TEST

START_TEST(augment_blank_moves_in)
{
    const struct rng r = {.seed = 3, .stream = RNG_AUGMENT, .epoch = 1};
    const struct augment a = {.shift = 27};
    uint8_t src[IMAGE_PIXELS], dst[IMAGE_PIXELS];
    int i, p, count;

    memset(src, 9, sizeof(src));
    for (i = 0; i < 500; i++) {
        memset(dst, 77, sizeof(dst));
        augment_apply(&a, &r, (uint64_t)i, dst, src);
        count = 0;
        for (p = 0; p < IMAGE_PIXELS; p++) {
            ck_assert(dst[p] == 9 || dst[p] == 0);
            count += dst[p] == 9;
        }
        ck_assert_int_ge(count, 1);
    }
}
END_TEST

START_TEST(augment_erases_a_square)
{
    const struct rng r = {.seed = 3, .stream = RNG_AUGMENT, .epoch = 1};
    struct augment a = {.erase = 4};
    uint8_t src[IMAGE_PIXELS], dst[IMAGE_PIXELS];
    int corner[4] = {0}, i, p, count, first;

    memset(src, 9, sizeof(src));
    for (i = 0; i < 20000; i++) {
        augment_apply(&a, &r, (uint64_t)i, dst, src);
        first = -1;
        for (p = count = 0; p < IMAGE_PIXELS; p++) {
            if (dst[p] == 0) {
                first = first < 0 ? p : first;
                ck_assert_int_lt((p - first) % IMAGE_SIDE, 4);
                count++;
            }
        }
        ck_assert_int_eq(count, 16);
        corner[0] += first == 0;
        corner[1] += first == IMAGE_SIDE - 4;
        corner[2] += first == (IMAGE_SIDE - 4) * IMAGE_SIDE;
        corner[3] += first == (IMAGE_SIDE - 4) * (IMAGE_SIDE + 1);
    }
    for (i = 0; i < 4; i++)
        ck_assert_int_gt(corner[i], 5);
    a.erase = IMAGE_SIDE;
    augment_apply(&a, &r, 1, dst, src);
    for (p = 0; p < IMAGE_PIXELS; p++)
        ck_assert_int_eq(dst[p], 0);
}
END_TEST

static struct batch_feed *
open_feed(int size, int prefetch, const struct augment *a, int shuffle)
{
    const struct batch_options opt = {.batch_size = size,
                                      .prefetch = prefetch,
                                      .augment = a,
                                      .seed = 5,
                                      .shuffle = shuffle};
    struct batch_feed *f;
    struct err e = {0};

    ck_assert_msg(batch_feed_new(d, images, N, &opt, &f, &e) == 0, "%s", e.msg);
    return f;
}

START_TEST(in_order)
{
    struct batch_feed *f = open_feed(10, _i, NULL, 0);
    struct batch b;
    int at = 0, i, p;

    ck_assert_int_eq(batch_feed_next(f, &b), 0);
    batch_feed_start(f, 1);
    while (batch_feed_next(f, &b)) {
        ck_assert_int_eq(b.n, at < 100 ? 10 : 3);
        ck_assert_uint_eq((uintptr_t)b.x % 64, 0);
        for (i = 0; i < b.n; i++, at++) {
            ck_assert_uint_eq(b.images[i], images[at]);
            ck_assert_uint_eq(b.labels[i], d->labels[images[at]]);
            for (p = 0; p < IMAGE_PIXELS; p++)
                ck_assert(b.x[i * IMAGE_PIXELS + p] ==
                          (float)image_pixel(images[at], p) / 255.0F);
        }
    }
    ck_assert_int_eq(at, N);
    ck_assert_int_eq(batch_feed_next(f, &b), 0);
    batch_feed_free(f);
}
END_TEST

START_TEST(prefetch_changes_nothing)
{
    static const int SIZES[] = {1, 7, 64, 103, 500};
    const struct augment a = {.shift = 2, .flip = 1, .erase = 5};
    struct batch_feed *f = open_feed(SIZES[_i], 0, &a, 1);
    struct batch_feed *g = open_feed(SIZES[_i], 1, &a, 1);
    struct batch b, c;
    uint32_t epoch, first[2] = {0};
    int more, at;

    for (epoch = 1; epoch <= 3; epoch++) {
        uint8_t seen[2 * N] = {0};

        batch_feed_start(f, epoch);
        batch_feed_start(g, epoch);
        for (at = 0;; at += b.n) {
            int i;

            more = batch_feed_next(f, &b);
            ck_assert_int_eq(batch_feed_next(g, &c), more);
            if (!more)
                break;
            ck_assert_int_eq(b.n, c.n);
            ck_assert_mem_eq(b.images, c.images, (size_t)b.n * 4);
            ck_assert_mem_eq(b.labels, c.labels, (size_t)b.n);
            ck_assert_mem_eq(b.x, c.x,
                             (size_t)b.n * IMAGE_PIXELS * sizeof(float));
            for (i = 0; i < b.n; i++)
                seen[b.images[i]]++;
            if (at == 0 && epoch <= 2)
                first[epoch - 1] = b.images[0];
        }
        ck_assert_int_eq(at, N);
        for (at = 0; at < N; at++)
            ck_assert_uint_eq(seen[images[at]], 1);
    }
    ck_assert_uint_ne(first[0], first[1]);
    batch_feed_free(f);
    batch_feed_free(g);
}
END_TEST

START_TEST(batch_size_does_not_change_images)
{
    const struct augment a = {.shift = 3, .flip = 1};
    struct batch_feed *f = open_feed(1, 0, &a, 1);
    struct batch_feed *g = open_feed(500, 1, &a, 1);
    struct batch one, all;
    int i = 0;

    batch_feed_start(f, 4);
    batch_feed_start(g, 4);
    ck_assert_int_eq(batch_feed_next(g, &all), 1);
    for (; batch_feed_next(f, &one); i++)
        ck_assert_mem_eq(one.x, all.x + (size_t)i * IMAGE_PIXELS,
                         IMAGE_PIXELS * sizeof(float));
    ck_assert_int_eq(i, N);
    batch_feed_free(f);
    batch_feed_free(g);
}
END_TEST

START_TEST(starts_and_ends_at_any_time)
{
    struct batch_feed *f = open_feed(3, 0, NULL, 1);
    struct batch_feed *g;
    struct batch b, c;
    uint32_t epoch;
    int i, k;

    for (i = 0; i < 60; i++) {
        g = open_feed(3, 1, NULL, 1);
        for (epoch = 1; epoch <= 4; epoch++) {
            batch_feed_start(g, epoch);
            batch_feed_start(f, epoch);
            for (k = 0; k < (i * 7 + (int)epoch * 5) % 36; k++) {
                int more = batch_feed_next(f, &b);

                ck_assert_int_eq(batch_feed_next(g, &c), more);
                if (more)
                    ck_assert_mem_eq(
                        b.x, c.x, (size_t)b.n * IMAGE_PIXELS * sizeof(float));
            }
        }
        batch_feed_free(g);
    }
    batch_feed_free(f);
    batch_feed_free(NULL);
}
END_TEST

START_TEST(restarts_while_filling)
{
    const struct augment a = {.shift = 2, .flip = 1};
    struct batch_feed *f = open_feed(40, 0, &a, 1);
    struct batch_feed *g = open_feed(40, 1, &a, 1);
    struct batch b, c;
    uint32_t epoch;

    for (epoch = 1; epoch <= 600; epoch++) {
        batch_feed_start(g, epoch);
        usleep(epoch % 7 * 15);
    }
    batch_feed_start(f, epoch);
    batch_feed_start(g, epoch);
    while (batch_feed_next(f, &b)) {
        ck_assert_int_eq(batch_feed_next(g, &c), 1);
        ck_assert_mem_eq(b.x, c.x, (size_t)b.n * IMAGE_PIXELS * sizeof(float));
    }
    ck_assert_int_eq(batch_feed_next(g, &c), 0);
    batch_feed_free(f);
    batch_feed_free(g);
}
END_TEST

START_TEST(waiting_costs_nothing)
{
    struct batch_feed *f = open_feed(2, 1, NULL, 1);
    struct batch b;
    clock_t before;

    batch_feed_start(f, 1);
    ck_assert_int_eq(batch_feed_next(f, &b), 1);
    usleep(50000);
    before = clock();
    usleep(300000);
    ck_assert_int_lt(clock() - before, CLOCKS_PER_SEC / 20);
    batch_feed_free(f);
}
END_TEST

START_TEST(refusals)
{
    struct batch_options opt = {.batch_size = 0};
    struct batch_feed *f;
    struct err e = {0};
    long nth;
    int rc;

    ck_assert_int_eq(batch_feed_new(d, images, N, &opt, &f, &e), ERR_USAGE);
    opt.batch_size = 16;
    opt.prefetch = 1;
    for (nth = 1;; nth++) {
        mem_fail_at(nth, 0);
        rc = batch_feed_new(d, images, N, &opt, &f, &e);
        mem_fail_at(0, 0);
        if (rc == 0)
            break;
        ck_assert_int_eq(rc, ERR_NOMEM);
        ck_assert_ptr_null(f);
    }
    ck_assert_int_gt(nth, 3);
    batch_feed_free(f);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("batch");
    TCase *tc = tcase_create("batch");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, augment_texts);
    tcase_add_test(tc, augment_shift_and_flip);
    tcase_add_test(tc, augment_blank_moves_in);
    tcase_add_test(tc, augment_erases_a_square);
    tcase_add_loop_test(tc, in_order, 0, 2);
    tcase_add_loop_test(tc, prefetch_changes_nothing, 0, 5);
    tcase_add_test(tc, batch_size_does_not_change_images);
    tcase_add_test(tc, starts_and_ends_at_any_time);
    tcase_add_test(tc, restarts_while_filling);
    tcase_add_test(tc, waiting_costs_nothing);
    tcase_add_test(tc, refusals);
    suite_add_tcase(s, tc);
    return run_suites(s, NULL);
}
