#include "rpc/rpc.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "rpc/listener.h"

enum {
	LINE_BYTES_MAX = 64 << 20, /* an answer longer than this is no answer of ours */
	LINE_BYTES_FIRST = 64 << 10,
	PENDING_MAX = 65536, /* notifications kept while an answer is awaited */
	CONNECT_RETRY_MS = 20,
};

struct rpc_client {
	int fd;
	int timeout_ms;
	json_int_t last_id;
	char *bytes; /* received and not yet taken: [start, end) */
	size_t start, end, capacity;
	size_t scanned; /* no newline in [start, scanned) */
	json_t *pending;
};

static int64_t now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail: the clock exists */
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t deadline_in(int timeout_ms)
{
	return timeout_ms < 0 ? INT64_MAX : now_ms() + timeout_ms;
}

static void explain(char *error, size_t error_len, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void explain(char *error, size_t error_len, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(error, error_len, format, args); /* cut if long: it is for people */
	va_end(args);
}

/* 0 once fd is ready for `events`, -ETIMEDOUT or -errno. */
static int wait_for(int fd, short events, int64_t deadline_ms)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = events};
		int wait_ms = -1;
		if (deadline_ms != INT64_MAX) {
			int64_t left = deadline_ms - now_ms();
			wait_ms = left <= 0 ? 0 : left > 3600000 ? 3600000 : (int)left;
		}
		int rc = poll(&p, 1, wait_ms);
		if (rc > 0)
			return 0;
		if (rc < 0 && errno != EINTR)
			return -errno;
		if (rc == 0 && deadline_ms != INT64_MAX && now_ms() >= deadline_ms)
			return -ETIMEDOUT;
	}
}

static int connect_until(int fd, const struct sockaddr_un *address, int64_t deadline_ms)
{
	while (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		/* EAGAIN: the server's backlog is full, and there is nothing to poll for. */
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (now_ms() >= deadline_ms)
			return -ETIMEDOUT;
		(void)poll(NULL, 0, CONNECT_RETRY_MS);
	}
	return 0;
}

static void explain_connect(int rc, const char *path, char *error, size_t error_len)
{
	switch (rc) {
	case -ENOENT:
		explain(error, error_len,
			"no control socket at %s: is swimlane running, and is its control.socket "
			"this path?",
			path);
		break;
	case -ECONNREFUSED:
		explain(error, error_len,
			"nobody answers at %s: swimlane has stopped; start it again", path);
		break;
	case -EACCES:
	case -EPERM:
		explain(error, error_len,
			"no permission for %s: run as root or as a user of the socket's group",
			path);
		break;
	case -ENAMETOOLONG:
	case -EINVAL:
		explain(error, error_len, "%s: the path of a socket has 1 to 107 bytes", path);
		break;
	case -ETIMEDOUT:
		explain(error, error_len, "%s takes no connection: too many are waiting", path);
		break;
	default: explain(error, error_len, "cannot connect to %s: %s", path, strerror(-rc)); break;
	}
}

int rpc_client_open(const char *socket_path, int timeout_ms, struct rpc_client **client,
	char *error, size_t error_len)
{
	struct sockaddr_un address;
	int rc = rpc_socket_address(socket_path, &address);
	if (rc < 0) {
		explain_connect(rc, socket_path, error, error_len);
		return rc;
	}
	struct rpc_client *c = calloc(1, sizeof(*c));
	json_t *pending = json_array();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c == NULL || pending == NULL || fd < 0) {
		rc = fd < 0 ? -errno : -ENOMEM;
		explain(error, error_len, "cannot make a socket: %s", strerror(-rc));
		goto fail;
	}
	rc = connect_until(fd, &address, deadline_in(timeout_ms));
	if (rc < 0) {
		explain_connect(rc, socket_path, error, error_len);
		goto fail;
	}
	c->fd = fd;
	c->timeout_ms = timeout_ms;
	c->pending = pending;
	*client = c;
	return 0;
fail:
	if (fd >= 0)
		(void)close(fd);
	json_decref(pending);
	free(c);
	return rc;
}

void rpc_client_close(struct rpc_client *client)
{
	if (client == NULL)
		return;
	(void)close(client->fd);
	json_decref(client->pending);
	free(client->bytes);
	free(client);
}

static int send_all(struct rpc_client *c, const char *bytes, size_t len, int64_t deadline_ms)
{
	while (len > 0) {
		ssize_t sent = send(c->fd, bytes, len, MSG_NOSIGNAL);
		if (sent >= 0) {
			bytes += sent;
			len -= (size_t)sent;
			continue;
		}
		int rc = errno == EAGAIN  ? wait_for(c->fd, POLLOUT, deadline_ms)
			 : errno == EINTR ? 0
					  : -errno;
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int make_room(struct rpc_client *c)
{
	if (c->start > 0) {
		memmove(c->bytes, c->bytes + c->start, c->end - c->start);
		c->end -= c->start;
		c->scanned -= c->start;
		c->start = 0;
	}
	if (c->end < c->capacity)
		return 0;
	if (c->capacity >= LINE_BYTES_MAX)
		return -EMSGSIZE;
	size_t capacity = c->capacity == 0 ? LINE_BYTES_FIRST : c->capacity * 2;
	char *bytes = realloc(c->bytes, capacity);
	if (bytes == NULL)
		return -ENOMEM;
	c->bytes = bytes;
	c->capacity = capacity;
	return 0;
}

/* 0 and a new reference to the next line's message. */
static int receive(struct rpc_client *c, int64_t deadline_ms, json_t **message)
{
	for (;;) {
		char *newline = NULL;
		if (c->end > c->scanned)
			newline = memchr(c->bytes + c->scanned, '\n', c->end - c->scanned);
		if (newline != NULL) {
			char *line = c->bytes + c->start;
			*message = json_loadb(line, (size_t)(newline - line), 0, NULL);
			c->start = c->scanned = (size_t)(newline + 1 - c->bytes);
			return json_is_object(*message) ? 0 : -EPROTO;
		}
		c->scanned = c->end;
		int rc = make_room(c);
		if (rc < 0)
			return rc;
		ssize_t got = recv(c->fd, c->bytes + c->end, c->capacity - c->end, 0);
		if (got > 0)
			c->end += (size_t)got;
		else if (got == 0)
			return -ECONNRESET;
		else if (errno == EAGAIN && (rc = wait_for(c->fd, POLLIN, deadline_ms)) < 0)
			return rc;
		else if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
}

static int send_request(
	struct rpc_client *c, const char *method, json_t *params, int64_t deadline_ms)
{
	json_t *request = json_pack("{s:s, s:I, s:s, s:o*}", "jsonrpc", "2.0", "id", ++c->last_id,
		"method", method, "params", params);
	char *text = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
	json_decref(request);
	if (text == NULL)
		return -EINVAL;
	size_t len = strlen(text);
	text[len] = '\n';
	int rc = send_all(c, text, len + 1, deadline_ms);
	free(text);
	return rc;
}

static int keep_pending(struct rpc_client *c, json_t *message)
{
	if (json_array_size(c->pending) >= PENDING_MAX) {
		json_decref(message);
		return -ENOBUFS;
	}
	return json_array_append_new(c->pending, message) < 0 ? -ENOMEM : 0;
}

/* An answer to a line that the server could not read, or to the connection itself, has a null id.
 */
static bool is_answer(const struct rpc_client *c, const json_t *message)
{
	const json_t *id = json_object_get(message, "id");
	return json_is_null(id) || (json_is_integer(id) && json_integer_value(id) == c->last_id);
}

static int read_answer(json_t *message, json_t **result, int *code, char *error, size_t error_len)
{
	const json_t *failure = json_object_get(message, "error");
	if (json_is_object(failure)) {
		const char *text = json_string_value(json_object_get(failure, "message"));
		*code = (int)json_integer_value(json_object_get(failure, "code"));
		explain(error, error_len, "%s", text != NULL ? text : "the server gave no reason");
		return -EREMOTEIO;
	}
	json_t *value = json_object_get(message, "result");
	if (value == NULL)
		return -EPROTO;
	*result = json_incref(value);
	return 0;
}

static int await_answer(struct rpc_client *c, int64_t deadline_ms, json_t **answer)
{
	for (;;) {
		json_t *message = NULL;
		int rc = receive(c, deadline_ms, &message);
		if (rc == 0 && is_answer(c, message)) {
			*answer = message;
			return 0;
		}
		if (rc == 0 && json_object_get(message, "method") != NULL)
			rc = keep_pending(c, message);
		else
			json_decref(message); /* late, to a call that timed out */
		if (rc < 0)
			return rc;
	}
}

int rpc_client_call(struct rpc_client *client, const char *method, json_t *params, json_t **result,
	int *code, char *error, size_t error_len)
{
	int64_t deadline_ms = deadline_in(client->timeout_ms);
	json_t *answer = NULL;
	*result = NULL;
	*code = 0;
	int sent = send_request(client, method, params, deadline_ms);
	/* A server that closes on us may have said why before. */
	int rc = sent == 0 || sent == -EPIPE || sent == -ECONNRESET
			 ? await_answer(client, deadline_ms, &answer)
			 : sent;
	if (rc == 0)
		rc = read_answer(answer, result, code, error, error_len);
	json_decref(answer);
	if (rc == -ETIMEDOUT)
		explain(error, error_len, "no answer to %s within %d ms", method,
			client->timeout_ms);
	else if (rc == -ECONNRESET || rc == -EPIPE)
		explain(error, error_len, "the server closed the connection during %s", method);
	else if (rc == -EPROTO)
		explain(error, error_len, "the answer to %s is not JSON-RPC", method);
	else if (rc < 0 && rc != -EREMOTEIO)
		explain(error, error_len, "%s: %s", method, strerror(-rc));
	return rc;
}

int rpc_client_next(struct rpc_client *client, int timeout_ms, json_t **message)
{
	int64_t deadline_ms = deadline_in(timeout_ms);
	*message = json_array_get(client->pending, 0);
	if (*message != NULL) {
		(void)json_incref(*message);
		return json_array_remove(client->pending, 0) < 0 ? -EINVAL : 0;
	}
	for (;;) {
		int rc = receive(client, deadline_ms, message);
		if (rc == 0 && json_object_get(*message, "method") != NULL)
			return 0;
		json_decref(*message);
		*message = NULL;
		if (rc < 0)
			return rc;
	}
}
