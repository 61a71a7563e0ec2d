#include "sw_test.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

struct Entry {
	std::string suite, name, file;
	int line;
	void (*body)(void);
	void (*row_body)(const void *);
	const void *row;
};

std::vector<Entry> &entries()
{
	static std::vector<Entry> list;
	return list;
}

class CTest : public testing::Test {
public:
	explicit CTest(const Entry &entry) : entry_(entry) {}
	void TestBody() override
	{
		if (entry_.row_body)
			entry_.row_body(entry_.row);
		else
			entry_.body();
	}

private:
	const Entry &entry_;
};

/* googletest names hold letters, digits and underscores only. */
std::string identifier(const char *text)
{
	std::string s = text;
	for (char &c : s)
		if (!isalnum(static_cast<unsigned char>(c)))
			c = '_';
	return s;
}

template <typename T>
bool compare(const char *file, int line, const char *op, const char *a_text, const char *b_text, T a, T b)
{
	const std::string o = op;
	const bool ok = o == "==" ? a == b
		: o == "!="	  ? a != b
		: o == "<"	  ? a < b
		: o == "<="	  ? a <= b
		: o == ">"	  ? a > b
				  : a >= b;
	if (!ok)
		ADD_FAILURE_AT(file, line) << "wanted: " << a_text << " " << op << " " << b_text
					   << "\n  left:  " << a << "\n  right: " << b;
	return ok;
}

std::string hex(const void *bytes, size_t len)
{
	std::string s;
	char text[4];
	for (size_t i = 0; i < len; i++) {
		snprintf(text, sizeof(text), "%02x", static_cast<const unsigned char *>(bytes)[i]);
		s += text;
		if (i % 4 == 3)
			s += ' ';
	}
	return s;
}

} // namespace

void sw_test_register(const char *suite, const char *name, const char *file, int line, void (*body)(void))
{
	entries().push_back({suite, name, file, line, body, nullptr, nullptr});
}

void sw_test_register_table(const char *suite, const char *name, const char *file, int line,
	void (*body)(const void *), const void *rows, size_t row_size, size_t row_count)
{
	for (size_t i = 0; i < row_count; i++) {
		const char *row = static_cast<const char *>(rows) + i * row_size;
		const char *row_name;
		memcpy(&row_name, row, sizeof(row_name));
		entries().push_back({suite, std::string(name) + "__" + identifier(row_name), file, line,
			nullptr, body, row});
	}
}

bool sw_test_compare_u64(const char *file, int line, const char *op, const char *a_text,
	const char *b_text, uint64_t a, uint64_t b)
{
	return compare(file, line, op, a_text, b_text, a, b);
}

bool sw_test_compare_i64(const char *file, int line, const char *op, const char *a_text,
	const char *b_text, int64_t a, int64_t b)
{
	return compare(file, line, op, a_text, b_text, a, b);
}

bool sw_test_compare_f64(const char *file, int line, const char *op, const char *a_text,
	const char *b_text, double a, double b)
{
	return compare(file, line, op, a_text, b_text, a, b);
}

bool sw_test_compare_str(const char *file, int line, const char *a_text, const char *b_text,
	const char *a, const char *b)
{
	const bool ok = (a == nullptr || b == nullptr) ? a == b : strcmp(a, b) == 0;
	if (!ok)
		ADD_FAILURE_AT(file, line) << "wanted: " << a_text << " == " << b_text << "\n  left:  "
					   << (a ? a : "(null)") << "\n  right: " << (b ? b : "(null)");
	return ok;
}

bool sw_test_compare_mem(const char *file, int line, const char *a_text, const char *b_text,
	const void *a, const void *b, size_t len)
{
	const bool ok = memcmp(a, b, len) == 0;
	if (!ok)
		ADD_FAILURE_AT(file, line) << "wanted: " << a_text << " == " << b_text << "\n  left:  "
					   << hex(a, len) << "\n  right: " << hex(b, len);
	return ok;
}

bool sw_test_true(const char *file, int line, const char *text, bool value, bool wanted)
{
	if (value != wanted)
		ADD_FAILURE_AT(file, line)
			<< "wanted: " << text << " is " << (wanted ? "true" : "false");
	return value == wanted;
}

void sw_test_note(const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printf("           note: %s\n", text);
	testing::Test::RecordProperty("note", text);
}

void sw_test_fail(const char *file, int line, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ADD_FAILURE_AT(file, line) << text;
}

uint64_t sw_test_env_u64(const char *name, uint64_t fallback)
{
	const char *text = getenv(name);
	return text ? strtoull(text, nullptr, 0) : fallback;
}

int main(int argc, char **argv)
{
	testing::InitGoogleTest(&argc, argv);
	for (const Entry &entry : entries())
		testing::RegisterTest(entry.suite.c_str(), entry.name.c_str(), nullptr, nullptr,
			entry.file.c_str(), entry.line,
			[&entry]() -> testing::Test * { return new CTest(entry); });
	return RUN_ALL_TESTS();
}
