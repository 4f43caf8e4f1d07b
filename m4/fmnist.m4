# SPDX-License-Identifier: MIT

# FM_PKG(VARIABLE, MODULE, DEBIAN-PACKAGE): a library with a .pc file, or an
# error that names the package.
AC_DEFUN([FM_PKG],
[PKG_CHECK_MODULES([$1], [$2], [],
    [AC_MSG_ERROR([$2 is missing (Debian: apt-get install $3)])])])

# FM_LIB_CSV: libcsv has no .pc file.
AC_DEFUN([FM_LIB_CSV],
[AC_CHECK_HEADER([csv.h], [],
    [AC_MSG_ERROR([csv.h is missing (Debian: apt-get install libcsv-dev)])])
AC_CHECK_LIB([csv], [csv_parse], [AC_SUBST([CSV_LIBS], [-lcsv])],
    [AC_MSG_ERROR([libcsv is missing (Debian: apt-get install libcsv-dev)])])])

# FM_TESTS: Check is needed by `make check` only.
AC_DEFUN([FM_TESTS],
[PKG_CHECK_MODULES([CHECK], [check], [have_check=yes], [have_check=no])
AM_CONDITIONAL([HAVE_CHECK], [test "$have_check" = yes])
AC_REQUIRE_AUX_FILE([tap-driver.sh])
AC_PATH_PROG([PYTHON3], [python3], [])])

# FM_FUZZ: a clang with libFuzzer; `make fuzz` alone needs it.
AC_DEFUN([FM_FUZZ],
[AC_ARG_VAR([FUZZ_CC], [a clang with libFuzzer and OpenMP, for make fuzz])
AC_CACHE_CHECK([for a clang with libFuzzer], [fm_cv_prog_fuzz_cc],
    [fm_cv_prog_fuzz_cc=none
    AC_LANG_CONFTEST([AC_LANG_SOURCE(
        [[int LLVMFuzzerTestOneInput(const char *p, unsigned long n);
int LLVMFuzzerTestOneInput(const char *p, unsigned long n) { return n && !p; }
]])])
    for fm_cc in "$FUZZ_CC" clang-14 clang; do
        AS_IF([test "x$fm_cc" != x && $fm_cc -fopenmp \
            -fsanitize=fuzzer,address,undefined -o conftest$EXEEXT \
            conftest.c >&AS_MESSAGE_LOG_FD 2>&1],
            [fm_cv_prog_fuzz_cc=$fm_cc
            break])
    done
    rm -f conftest.c conftest$EXEEXT])
FUZZ_CC=$fm_cv_prog_fuzz_cc])

# FM_ISA(NAME, FLAGS, PROLOGUE, BODY): can this compiler and linker build for
# an instruction set?  Linking decides, not running: the build machine need not
# have it.
AC_DEFUN([FM_ISA],
[AC_CACHE_CHECK([whether $CC builds $1 kernels], [fm_cv_isa_$1],
    [fm_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS $2"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([$3], [$4])],
        [fm_cv_isa_$1=yes], [fm_cv_isa_$1=no])
    CFLAGS=$fm_save_CFLAGS])
AM_CONDITIONAL([ISA_]m4_toupper([$1]), [test "$fm_cv_isa_$1" = yes])
AS_IF([test "$fm_cv_isa_$1" = yes],
    [AC_DEFINE([HAVE_ISA_]m4_toupper([$1]), [1], [$1 kernels are built.])])
AC_SUBST([ISA_]m4_toupper([$1])[_CFLAGS], ["$2"])])

# FM_WARNINGS: --enable-werror.
AC_DEFUN([FM_WARNINGS],
[AC_ARG_ENABLE([werror],
    [AS_HELP_STRING([--enable-werror], [treat compiler warnings as errors])])
WARN_CFLAGS="-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 -Wundef"
AS_IF([test "x$enable_werror" = xyes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
AC_SUBST([WARN_CFLAGS])])

# FM_SANITIZERS: --enable-sanitizers[=LIST].
AC_DEFUN([FM_SANITIZERS],
[AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers@<:@=LIST@:>@],
        [build with sanitizers (default LIST: address,undefined)])])
SAN_CFLAGS=
AS_CASE([x$enable_sanitizers],
    [x|xno], [],
    [xyes], [SAN_CFLAGS="-fsanitize=address,undefined"],
    [SAN_CFLAGS="-fsanitize=$enable_sanitizers"])
AS_IF([test "x$SAN_CFLAGS" != x],
    [SAN_CFLAGS="$SAN_CFLAGS -fno-sanitize-recover=all -fno-omit-frame-pointer"])
AC_SUBST([SAN_CFLAGS])
AM_CONDITIONAL([SANITIZERS], [test "x$SAN_CFLAGS" != x])])

# FM_COVERAGE: --enable-coverage.
AC_DEFUN([FM_COVERAGE],
[AC_ARG_ENABLE([coverage],
    [AS_HELP_STRING([--enable-coverage], [build for gcov])])
AS_IF([test "x$enable_coverage" = xyes], [COV_CFLAGS="--coverage -O0"],
    [COV_CFLAGS=])
AC_SUBST([COV_CFLAGS])])

# FM_COMMIT: the commit that the sources are of, "" outside a checkout.
AC_DEFUN([FM_COMMIT],
[FM_COMMIT_ID=$(git -C "$srcdir" rev-parse --short=12 HEAD 2>/dev/null || :)
AC_DEFINE_UNQUOTED([FMNIST_COMMIT], ["$FM_COMMIT_ID"],
    [The commit that the sources are of, or empty.])])
