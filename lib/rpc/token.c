#include "rpc/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rpc/http.h"

_Static_assert(sizeof(((struct rpc_token *)0)->bytes) == RPC_TOKEN_MAX, "one limit");

__attribute__((format(printf, 4, 5))) static int fail(
	char *error, size_t error_len, int rc, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(error, error_len, format, args);
	va_end(args);
	return rc;
}

static int check_file(const char *path, int fd, char *error, size_t error_len)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return fail(error, error_len, -errno, "token file %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(error, error_len, -EINVAL, "token file %s: is not a plain file", path);
	if ((st.st_mode & 077) != 0)
		return fail(error, error_len, -EPERM,
			"token file %s: others may read or write it (mode %03o); chmod 600 it, and "
			"draw a new token",
			path, st.st_mode & 0777);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return fail(error, error_len, -EPERM,
			"token file %s: belongs to another user; chown it to the one that runs "
			"swimlane",
			path);
	return 0;
}

int rpc_token_load(const char *path, struct rpc_token *token, char *error, size_t error_len)
{
	char text[RPC_TOKEN_MAX + 2];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fail(error, error_len, -errno, "token file %s: cannot be read: %s", path,
			strerror(errno));
	int rc = check_file(path, fd, error, error_len);
	ssize_t got = rc == 0 ? read(fd, text, sizeof(text)) : 0;
	if (got < 0)
		rc = fail(error, error_len, -errno, "token file %s: cannot be read: %s", path,
			strerror(errno));
	(void)close(fd);
	if (rc < 0)
		return rc;
	size_t len = 0;
	while (len < (size_t)got && text[len] != '\n')
		len++;
	if (len < RPC_TOKEN_MIN || len > RPC_TOKEN_MAX)
		return fail(error, error_len, -EINVAL,
			"token file %s: its first line must have %d to %d characters; draw one, "
			"e.g. "
			"openssl rand -hex 32",
			path, RPC_TOKEN_MIN, RPC_TOKEN_MAX);
	memset(token, 0, sizeof(*token));
	memcpy(token->bytes, text, len);
	token->len = len;
	explicit_bzero(text, sizeof(text));
	return 0;
}

bool rpc_token_equal(const struct rpc_token *token, const char *shown, size_t len)
{
	unsigned char other[RPC_TOKEN_MAX] = {0};
	volatile unsigned char differ = 0;
	memcpy(other, shown, len < sizeof(other) ? len : sizeof(other));
	for (size_t i = 0; i < sizeof(other); i++)
		differ |= (unsigned char)(other[i] ^ token->bytes[i]);
	return differ == 0 && len == token->len;
}
