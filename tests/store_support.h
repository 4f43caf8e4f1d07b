/* SPDX-License-Identifier: MIT */
/* Small runs and sets for the tests of the store. */
#ifndef FMNIST_TESTS_STORE_SUPPORT_H
#define FMNIST_TESTS_STORE_SUPPORT_H

#include <check.h>
#include <stdint.h>

#include "fmnist/dataset.h"
#include "fmnist/metrics.h"
#include "fmnist/store.h"
#include "fmnist/trainer.h"

/* Asserts that a call gives 0, and shows its message if not. */
#define OK(call)                                                      \
    do {                                                              \
        struct err ok_err = {0};                                      \
        struct err *e = &ok_err;                                      \
        int ok_rc = (call);                                           \
        ck_assert_msg(ok_rc == 0, "%s: %d %s", #call, ok_rc, e->msg); \
    } while (0)

/* Asserts that a call gives a code and a message with that text in it. */
#define FAILS(code_, text, call)                                         \
    do {                                                                 \
        struct err ok_err = {0};                                         \
        struct err *e = &ok_err;                                         \
        int ok_rc = (call);                                              \
        ck_assert_msg(ok_rc == (code_) && strstr(e->msg, (text)),        \
                      "%s: %d \"%s\", not \"%s\"", #call, ok_rc, e->msg, \
                      (text));                                           \
    } while (0)

/* A set of 20 images whose label is the image number modulo 10. */
enum { TEST_IMAGES = 20, TEST_PART = 10 };
struct dataset *test_set(uint8_t tint);
/* The folder's "runs.db", opened for writing. */
struct store *test_store(void);
char *test_db(void);

/* A queued run of preset "ann" on the set; name NULL: made up. */
int64_t test_run(struct store *s, const char *name);
int64_t test_run_with(struct store *s, const struct hyper *h, const char *name);
void test_start(struct store *s, int64_t id);
/* Epoch k of test_epochs(…), in which k of the 10 test images are right. */
void test_epoch(struct store *s, int64_t id, int epoch, int right);
/* Ends it, with predictions of `right` right ones. */
void test_end(struct store *s, int64_t id, const char *status, int right);
/* Both, where they may fail. */
int test_put_epoch(struct store *s, int64_t id, int epoch, int right,
                   struct err *e);
int test_put_end(struct store *s, int64_t id, const char *status, int right,
                 struct err *e);
/* Queued, started, trained for n epochs (k right in epoch k), finished. */
int64_t test_finished(struct store *s, const char *name, int epochs);

/* One value of the database by SQL, as text ("" for NULL); kept until the next
 * call. */
const char *test_value(struct store *s, const char *sql);
/* Changes the file behind the store's back. */
void test_sql(const char *sql);
/* Whether it went. */
int test_try_sql(const char *sql);

/* Takes rows as text: "name name | value value … ", "-" for NULL. */
struct listing {
    char text[2000];
    int rows, heads;
    int stop; /* after so many rows; 0: never */
};
int test_row(const struct row *r, void *arg, struct err *e);

/* For store_check: counts in an int, and says each fault on stderr. */
void test_count_fault(const char *line, void *arg);

/* Adds tests (NULL-ended) with a folder of their own each. */
void test_case(Suite *s, const char *name, const TTest *const *tests);

#endif
