/* Arbitrary bytes as what HTTP clients send, in arbitrary pieces, over real sockets: through
 * evhttp, the token, the bodies' way into the RPC, pages, and connections that go while they wait.
 * Whatever comes, who has not shown the token runs no method and sees no guarded page, each line of
 * JSON in an answer is JSON-RPC, each status is one that is known, and every deferred call is
 * accounted for.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "held.h"
#include "rpc/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum {
	CLIENTS = 3, /* one more than there may be */
	SENT_MAX = 1 << 16,
	/* What a piece's first byte may be besides a length and whether the client reads. */
	NEXT_CLIENT = 0,
	HALF_CLOSE = 2,
	HANG_UP = 4,
};

#define TOKEN   "0123456789abcdef"
#define GUARDED "guarded page"

static struct {
	int fd; /* -1: not there */
	uint8_t sent[SENT_MAX];
	size_t sent_len;
	struct evbuffer *got;
} clients[CLIENTS];

static char folder[64], socket_path[80], token_path[80];
static bool shown; /* the token was in what some client of this input sent */

static void clean(void)
{
	(void)unlink(socket_path);
	(void)unlink(token_path);
	(void)rmdir(folder);
}

static void set_up(void)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/fuzz_http.XXXXXX");
	check(mkdtemp(folder) != NULL, "no folder");
	(void)snprintf(socket_path, sizeof(socket_path), "%s/socket", folder);
	(void)snprintf(token_path, sizeof(token_path), "%s/token", folder);
	(void)atexit(clean);
	(void)signal(SIGPIPE, SIG_IGN); /* as control does */
	FILE *f = fopen(token_path, "we");
	check(f != NULL && fchmod(fileno(f), 0600) == 0 && fputs(TOKEN "\n", f) >= 0 &&
			fclose(f) == 0,
		"no token");
	for (int i = 0; i < CLIENTS; i++) {
		clients[i].fd = -1;
		clients[i].got = evbuffer_new();
	}
}

/* ---- methods and pages ---- */

static void method_echo(struct rpc_call *call, json_t *params, void *context)
{
	(void)context;
	check(shown, "a method ran without the token");
	rpc_result(call, json_incref(params));
}

static void method_hold(struct rpc_call *call, json_t *params, void *context)
{
	(void)params, (void)context;
	check(shown, "a method ran without the token");
	held_hold(call);
}

static void method_watch(struct rpc_call *call, json_t *params, void *context)
{
	(void)params, (void)context;
	check(rpc_subscribe(call, NULL, NULL) == NULL, "a stream over HTTP");
}

static void page(struct rpc_http_answer *a, const char *accept, void *context)
{
	(void)evbuffer_add_printf(a->body, "%s %zu\n", (const char *)context, strlen(accept));
}

/* ---- clients ---- */

static void hang_up(int i)
{
	if (clients[i].fd >= 0)
		(void)close(clients[i].fd);
	clients[i].fd = -1;
	clients[i].sent_len = 0;
	(void)evbuffer_drain(clients[i].got, evbuffer_get_length(clients[i].got));
}

static void connect_one(int i)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", socket_path);
	hang_up(i);
	clients[i].fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The backlog may be full while accepting is paused. */
	if (connect(clients[i].fd, (const struct sockaddr *)&name, sizeof(name)) < 0)
		hang_up(i);
}

static void send_piece(int i, const uint8_t *bytes, size_t len)
{
	if (clients[i].fd < 0)
		return;
	ssize_t sent = send(clients[i].fd, bytes, len, MSG_NOSIGNAL);
	if (sent <= 0 || clients[i].sent_len + (size_t)sent > SENT_MAX)
		return;
	memcpy(clients[i].sent + clients[i].sent_len, bytes, (size_t)sent);
	clients[i].sent_len += (size_t)sent;
	shown = shown || memmem(clients[i].sent, clients[i].sent_len, TOKEN, strlen(TOKEN)) != NULL;
}

static bool is_known(int status)
{
	static const int known[] = {
		100, 200, 204, 400, 401, 404, 405, 411, 413, 414, 417, 500, 501, 503};
	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i] == status)
			return true;
	return false;
}

static void check_line(const char *line)
{
	int status;
	/* evhttp repeats the request's minor version. */
	if (sscanf(line, "HTTP/1.%*d %d", &status) == 1)
		check(is_known(status), line);
	check(shown || strstr(line, GUARDED) == NULL, "a guarded page without the token");
	if (line[0] != '{')
		return;
	json_t *message = json_loads(line, 0, NULL);
	const char *version = json_string_value(json_object_get(message, "jsonrpc"));
	check(version != NULL && strcmp(version, "2.0") == 0, "an answer that is no JSON-RPC");
	check((json_object_get(message, "result") != NULL) !=
			(json_object_get(message, "error") != NULL),
		"an answer that is neither a result nor an error");
	json_decref(message);
}

static void receive(int i)
{
	char *line;
	while (clients[i].fd >= 0 && evbuffer_read(clients[i].got, clients[i].fd, 65536) > 0) {
	}
	while ((line = evbuffer_readln(clients[i].got, NULL, EVBUFFER_EOL_CRLF)) != NULL) {
		check_line(line);
		free(line);
	}
}

/* ---- one input ---- */

static void turn(struct event_base *base)
{
	for (int i = 0; i < 6; i++)
		(void)event_base_loop(base, EVLOOP_NONBLOCK);
}

static void play(struct event_base *base, const uint8_t *bytes, size_t len)
{
	int i = 0;
	connect_one(i);
	while (len > 0) {
		uint8_t what = bytes[0];
		bool reads = (what & 1) != 0;
		size_t piece = what == 0xff ? len - 1 : what >> 1;
		bytes++, len--;
		if (what == NEXT_CLIENT)
			connect_one(i = (i + 1) % CLIENTS);
		else if (what == HALF_CLOSE && clients[i].fd >= 0)
			(void)shutdown(clients[i].fd, SHUT_WR);
		else if (what == HANG_UP)
			hang_up(i);
		if (what == NEXT_CLIENT || what == HALF_CLOSE || what == HANG_UP)
			piece = 0;
		if (piece > len)
			piece = len;
		send_piece(i, bytes, piece);
		bytes += piece;
		len -= piece;
		turn(base);
		for (int c = 0; reads && c < CLIENTS; c++)
			receive(c);
	}
	turn(base);
	for (int c = 0; c < CLIENTS; c++)
		receive(c);
}

static struct rpc_server *serve(struct event_base *base)
{
	const struct rpc_server_config limits = {.request_bytes_max = 200, .in_flight_max = 3};
	struct rpc_server *server;
	check(rpc_server_create_unbound(base, &limits, &server) == 0, "no server");
	check(rpc_server_method(server, "e", method_echo, NULL) == 0, "no method");
	check(rpc_server_method(server, "h", method_hold, NULL) == 0, "no method");
	check(rpc_server_method(server, "a", method_answer, NULL) == 0, "no method");
	check(rpc_server_method(server, "w", method_watch, NULL) == 0, "no method");
	return server;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct event_base *base;
	static char open_words[] = "open page", guarded_words[] = GUARDED;
	char error[512] = "";
	struct rpc_http *http;
	if (base == NULL) {
		base = event_base_new();
		set_up();
	}
	const struct rpc_http_config config = {
		.listen = socket_path,
		.token_file = token_path,
		.socket_mode = 0600,
		.clients_max = CLIENTS - 1,
		.header_bytes_max = 512,
		.body_bytes_max = 300,
	};
	held.count = 0;
	shown = false;
	struct rpc_server *server = serve(base);
	if (rpc_http_create(base, server, &config, &http, error, sizeof(error)) < 0)
		check(false, error);
	check(rpc_http_page_add(http, "/o", true, page, open_words) == 0, "no page");
	check(rpc_http_page_add(http, "/g", false, page, guarded_words) == 0, "no page");

	play(base, bytes, len);
	for (int i = 0; i < CLIENTS; i++)
		hang_up(i);
	turn(base);

	rpc_http_destroy(http);
	rpc_server_destroy(server);
	check(held.count == 0, "a deferred call outlived its server");
	turn(base);
	return 0;
}
