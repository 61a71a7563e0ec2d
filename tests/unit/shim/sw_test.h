/* Tests in C, run by googletest.
 *
 *   SW_TEST(swim, suspect_is_refuted_by_higher_incarnation) { SW_EXPECT_EQ(a, b); }
 *
 *   static const struct row rows[] = {{"name of the row", 1, 2}, ...};
 *   SW_TEST_TABLE(wire, record_round_trips, const struct row *row, rows) { SW_EXPECT_EQ(row->a, 1);
 * }
 *
 * The first member of a table's row is its name (const char *): each row is a test of its own.
 * EXPECT goes on after a failure, ASSERT returns from the test function. Both print both values.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void sw_test_register(
	const char *suite, const char *name, const char *file, int line, void (*body)(void));
void sw_test_register_table(const char *suite, const char *name, const char *file, int line,
	void (*body)(const void *row), const void *rows, size_t row_size, size_t row_count);
bool sw_test_compare_u64(const char *file, int line, const char *op, const char *a_text,
	const char *b_text, uint64_t a, uint64_t b);
bool sw_test_compare_i64(const char *file, int line, const char *op, const char *a_text,
	const char *b_text, int64_t a, int64_t b);
bool sw_test_compare_f64(const char *file, int line, const char *op, const char *a_text,
	const char *b_text, double a, double b);
bool sw_test_compare_str(const char *file, int line, const char *a_text, const char *b_text,
	const char *a, const char *b);
bool sw_test_compare_mem(const char *file, int line, const char *a_text, const char *b_text,
	const void *a, const void *b, size_t len);
bool sw_test_true(const char *file, int line, const char *text, bool value, bool wanted);
/* Says something about the run (a seed, a number of cases): printed, and kept with the result. */
void sw_test_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Fails the test with a message. */
void sw_test_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The value of an environment variable as a number, or fallback: for long runs and seeds. */
uint64_t sw_test_env_u64(const char *name, uint64_t fallback);

#ifdef __cplusplus
}
#endif

#define SW_TEST(suite, name)                                                                       \
	static void suite##_##name(void);                                                          \
	__attribute__((constructor)) static void suite##_##name##_register(void)                   \
	{                                                                                          \
		sw_test_register(#suite, #name, __FILE__, __LINE__, suite##_##name);               \
	}                                                                                          \
	static void suite##_##name(void)

#define SW_TEST_TABLE(suite, name, param, rows)                                                    \
	static void suite##_##name(param);                                                         \
	static void suite##_##name##_row(const void *row)                                          \
	{                                                                                          \
		suite##_##name(row);                                                               \
	}                                                                                          \
	__attribute__((constructor)) static void suite##_##name##_register(void)                   \
	{                                                                                          \
		sw_test_register_table(#suite, #name, __FILE__, __LINE__, suite##_##name##_row,    \
			rows, sizeof((rows)[0]), sizeof(rows) / sizeof((rows)[0]));                \
	}                                                                                          \
	static void suite##_##name(param)

/* clang-format off */
#define SW_TEST_COMPARE(op, a, b)                                                                  \
	_Generic((a),                                                                              \
		float: sw_test_compare_f64, double: sw_test_compare_f64,                           \
		signed char: sw_test_compare_i64, short: sw_test_compare_i64,                      \
		int: sw_test_compare_i64, long: sw_test_compare_i64,                               \
		long long: sw_test_compare_i64, default: sw_test_compare_u64)                      \
		(__FILE__, __LINE__, op, #a, #b, (a), (b))
/* clang-format on */

#define SW_TEST_OR_RETURN(check)                                                                   \
	do {                                                                                       \
		if (!(check))                                                                      \
			return;                                                                    \
	} while (0)

#define SW_EXPECT_EQ(a, b)  ((void)SW_TEST_COMPARE("==", a, b))
#define SW_EXPECT_NE(a, b)  ((void)SW_TEST_COMPARE("!=", a, b))
#define SW_EXPECT_LT(a, b)  ((void)SW_TEST_COMPARE("<", a, b))
#define SW_EXPECT_LE(a, b)  ((void)SW_TEST_COMPARE("<=", a, b))
#define SW_EXPECT_GT(a, b)  ((void)SW_TEST_COMPARE(">", a, b))
#define SW_EXPECT_GE(a, b)  ((void)SW_TEST_COMPARE(">=", a, b))
#define SW_EXPECT_TRUE(a)   ((void)sw_test_true(__FILE__, __LINE__, #a, (a), true))
#define SW_EXPECT_FALSE(a)  ((void)sw_test_true(__FILE__, __LINE__, #a, (a), false))
#define SW_EXPECT_STR(a, b) ((void)sw_test_compare_str(__FILE__, __LINE__, #a, #b, (a), (b)))
#define SW_EXPECT_MEM(a, b, n)                                                                     \
	((void)sw_test_compare_mem(__FILE__, __LINE__, #a, #b, (a), (b), (n)))
#define SW_ASSERT_EQ(a, b) SW_TEST_OR_RETURN(SW_TEST_COMPARE("==", a, b))
#define SW_ASSERT_NE(a, b) SW_TEST_OR_RETURN(SW_TEST_COMPARE("!=", a, b))
#define SW_ASSERT_GT(a, b) SW_TEST_OR_RETURN(SW_TEST_COMPARE(">", a, b))
#define SW_ASSERT_TRUE(a)  SW_TEST_OR_RETURN(sw_test_true(__FILE__, __LINE__, #a, (a), true))
#define SW_ASSERT_FALSE(a) SW_TEST_OR_RETURN(sw_test_true(__FILE__, __LINE__, #a, (a), false))
#define SW_FAIL(...)       sw_test_fail(__FILE__, __LINE__, __VA_ARGS__)
