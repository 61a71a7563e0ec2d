#include "rpc/http.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <netinet/in.h>

#include "rpc/http_clients.h"
#include "rpc/server.h"
#include "rpc/token.h"

enum {
	PAGES_MAX = 8,
	PATH_BYTES_MAX = 31,
	CLIENTS_DEFAULT = 64,
	HEADER_BYTES_DEFAULT = 8192,
	BODY_BYTES_DEFAULT = 65536,
	REQUEST_MS_DEFAULT = 10000,
};

#define BEARER "Bearer "

struct page {
	char path[PATH_BYTES_MAX + 1];
	bool open;
	rpc_http_page page;
	void *context;
};

struct rpc_http {
	struct rpc_server *server;
	struct evhttp *http;
	struct http_clients *clients;
	struct rpc_listener listener; /* of a UNIX socket; fd -1: TCP */
	bool tcp;
	bool has_token;
	struct rpc_token token;
	char token_file[256];
	struct page pages[PAGES_MAX];
	unsigned page_count;
	uint64_t requests, refused;
};

__attribute__((format(printf, 4, 5))) static int fail(
	char *error, size_t error_len, int rc, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(error, error_len, format, args);
	va_end(args);
	return rc;
}

/* ---- answers ---- */

static void answer(struct rpc_http *http, struct evhttp_request *request, int status,
	const char *type, struct evbuffer *body)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	if (connection != NULL)
		http_clients_answered(http->clients, evhttp_connection_get_bufferevent(connection));
	(void)evhttp_add_header(headers, "Content-Type", type);
	(void)evhttp_add_header(headers, "Cache-Control", "no-store");
	evhttp_send_reply(request, status, NULL, body);
}

static void refuse(
	struct rpc_http *http, struct evhttp_request *request, int status, const char *why)
{
	struct evbuffer *body = evbuffer_new();
	http->refused++;
	if (body != NULL)
		(void)evbuffer_add_printf(body, "%s\n", why);
	if (status == 401)
		(void)evhttp_add_header(
			evhttp_request_get_output_headers(request), "WWW-Authenticate", "Bearer");
	answer(http, request, status, "text/plain; charset=utf-8", body);
	if (body != NULL)
		evbuffer_free(body);
}

static bool may(const struct rpc_http *http, struct evhttp_request *request)
{
	const char *shown =
		evhttp_find_header(evhttp_request_get_input_headers(request), "Authorization");
	if (!http->has_token)
		return true;
	return shown != NULL && strncmp(shown, BEARER, sizeof(BEARER) - 1) == 0 &&
	       rpc_token_equal(&http->token, shown + sizeof(BEARER) - 1,
		       strlen(shown + sizeof(BEARER) - 1));
}

/* ---- POST /rpc ---- */

/* Everything that the request was answered with: one line, or nothing for a notification. */
static void on_finished(struct rpc_connection *c, void *context)
{
	struct evhttp_request *request = context;
	struct rpc_http *http = rpc_connection_owner(c);
	struct evbuffer *body = rpc_connection_output(c);
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	if (connection != NULL)
		evhttp_connection_set_closecb(connection, NULL, NULL);
	answer(http, request, evbuffer_get_length(body) > 0 ? HTTP_OK : HTTP_NOCONTENT,
		"application/json", body);
	rpc_connection_drop(c);
}

static void on_closed(struct evhttp_connection *connection, void *context)
{
	(void)connection;
	rpc_connection_drop(context); /* evhttp frees the request */
}

static void on_rpc(struct evhttp_request *request, void *context)
{
	struct rpc_http *http = context;
	struct evbuffer *body = evhttp_request_get_input_buffer(request);
	size_t len = evbuffer_get_length(body);
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	http->requests++;
	if (evhttp_request_get_command(request) != EVHTTP_REQ_POST) {
		refuse(http, request, 405, "POST a JSON-RPC request");
		return;
	}
	if (!may(http, request)) {
		refuse(http, request, 401, "a token is needed: Authorization: Bearer TOKEN");
		return;
	}
	struct rpc_connection *c = rpc_connection_of_one(http->server, on_finished, request, http);
	const char *text = len > 0 ? (const char *)evbuffer_pullup(body, -1) : "";
	if (c == NULL || text == NULL) {
		if (c != NULL)
			rpc_connection_drop(c);
		refuse(http, request, 503, "out of memory");
		return;
	}
	http_clients_asked(http->clients, evhttp_connection_get_bufferevent(connection));
	evhttp_connection_set_closecb(connection, on_closed, c);
	rpc_connection_take_one(c, text, len);
}

/* ---- pages ---- */

static void give_page(struct rpc_http *http, struct evhttp_request *request, struct page *page)
{
	const char *accept =
		evhttp_find_header(evhttp_request_get_input_headers(request), "Accept");
	struct rpc_http_answer a = {
		.status = HTTP_OK, .type = "text/plain; charset=utf-8", .body = evbuffer_new()};
	if (a.body == NULL) {
		refuse(http, request, 503, "out of memory");
		return;
	}
	page->page(&a, accept != NULL ? accept : "", page->context);
	answer(http, request, a.status, a.type, a.body);
	evbuffer_free(a.body);
}

static void on_other(struct evhttp_request *request, void *context)
{
	struct rpc_http *http = context;
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
	struct page *page = NULL;
	http->requests++;
	for (unsigned i = 0; path != NULL && i < http->page_count; i++)
		if (strcmp(path, http->pages[i].path) == 0)
			page = &http->pages[i];
	if ((page == NULL || !page->open) && !may(http, request))
		refuse(http, request, 401, "a token is needed: Authorization: Bearer TOKEN");
	else if (page == NULL)
		refuse(http, request, 404, "there is no such page");
	else if (evhttp_request_get_command(request) == EVHTTP_REQ_POST)
		refuse(http, request, 405, "GET it");
	else
		give_page(http, request, page);
}

int rpc_http_page_add(
	struct rpc_http *http, const char *path, bool open, rpc_http_page page, void *context)
{
	if (http->page_count == PAGES_MAX || strlen(path) > PATH_BYTES_MAX)
		return -ENOSPC;
	struct page *p = &http->pages[http->page_count++];
	*p = (struct page){.open = open, .page = page, .context = context};
	memcpy(p->path, path, strlen(path) + 1);
	return 0;
}

/* ---- set-up ---- */

/* The address of "127.0.0.1:9946"; NULL, or what is wrong. */
static const char *parse_tcp(const char *listen, struct sockaddr_storage *address, int *len)
{
	static const char wanted[] = "is not a numeric address with a port, as 127.0.0.1:9946 or "
				     "[::1]:9946, nor the absolute path of a UNIX socket";
	*len = sizeof(*address);
	if (evutil_parse_sockaddr_port(listen, (struct sockaddr *)address, len) < 0)
		return wanted;
	const struct sockaddr_in *four = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
	bool is_four = address->ss_family == AF_INET;
	if ((is_four ? four->sin_port : six->sin6_port) == 0)
		return wanted;
	if (is_four ? four->sin_addr.s_addr == 0 : IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr))
		return "would listen on every address; name the one that is meant";
	return NULL;
}

const char *rpc_http_check_listen(const char *listen)
{
	struct sockaddr_storage address;
	struct sockaddr_un path;
	int len;
	if (listen[0] != '/')
		return parse_tcp(listen, &address, &len);
	return rpc_socket_address(listen, &path) < 0 ? "is too long for a UNIX socket" : NULL;
}

static int open_tcp(const char *listen_at, char *error, size_t error_len)
{
	struct sockaddr_storage address;
	int len, on = 1;
	const char *mistake = parse_tcp(listen_at, &address, &len);
	if (mistake != NULL)
		return fail(
			error, error_len, -EINVAL, "control over HTTP: %s %s", listen_at, mistake);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
		bind(fd, (struct sockaddr *)&address, (socklen_t)len) == 0 &&
		listen(fd, RPC_LISTEN_BACKLOG) == 0)
		return fd;
	int rc = -errno;
	if (fd >= 0)
		(void)close(fd);
	return fail(error, error_len, rc,
		"control over HTTP: %s: %s; choose another address or port", listen_at,
		strerror(-rc));
}

static int open_socket(
	struct rpc_http *http, const struct rpc_http_config *config, char *error, size_t error_len)
{
	http->tcp = config->listen[0] != '/';
	if (http->tcp)
		return open_tcp(config->listen, error, error_len);
	int rc = rpc_listener_open(&http->listener, config->listen, config->socket_mode,
		config->socket_group, error, error_len);
	if (rc < 0)
		return rc;
	/* evhttp closes its own copy. */
	int fd = dup(http->listener.fd);
	return fd >= 0 ? fd : -errno;
}

static unsigned or_default(unsigned value, unsigned fallback)
{
	return value != 0 ? value : fallback;
}

static int start(struct rpc_http *http, struct event_base *base,
	const struct rpc_http_config *config, int *fd)
{
	http->http = evhttp_new(base);
	if (http->http == NULL)
		return -ENOMEM;
	unsigned request_ms = or_default(config->request_ms_max, REQUEST_MS_DEFAULT);
	http->clients = http_clients_create(
		base, http->http, or_default(config->clients_max, CLIENTS_DEFAULT), request_ms);
	if (http->clients == NULL)
		return -ENOMEM;
	evhttp_set_max_headers_size(
		http->http, or_default(config->header_bytes_max, HEADER_BYTES_DEFAULT));
	evhttp_set_max_body_size(
		http->http, or_default(config->body_bytes_max, BODY_BYTES_DEFAULT));
	evhttp_set_allowed_methods(http->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST);
	const struct timeval silent = {
		.tv_sec = request_ms / 1000 + 1}; /* a reader that takes nothing */
	evhttp_set_timeout_tv(http->http, &silent);
	evhttp_set_gencb(http->http, on_other, http);
	if (evhttp_set_cb(http->http, "/rpc", on_rpc, http) < 0)
		return -ENOMEM;
	struct evhttp_bound_socket *bound = evhttp_accept_socket_with_handle(http->http, *fd);
	if (bound == NULL)
		return -ENOMEM;
	*fd = -1;
	http_clients_listener(http->clients, evhttp_bound_socket_get_listener(bound));
	return 0;
}

int rpc_http_token_reload(
	struct rpc_http *http, const char *token_file, char *error, size_t error_len)
{
	const char *path =
		token_file != NULL && *token_file != '\0' ? token_file : http->token_file;
	if (!http->has_token && path == http->token_file)
		return 0;
	int rc = rpc_token_load(path, &http->token, error, error_len);
	if (rc < 0)
		return rc;
	http->has_token = true;
	if (path != http->token_file)
		(void)snprintf(http->token_file, sizeof(http->token_file), "%s", path);
	return 0;
}

int rpc_http_create(struct event_base *base, struct rpc_server *server,
	const struct rpc_http_config *config, struct rpc_http **out, char *error, size_t error_len)
{
	struct rpc_http *http = calloc(1, sizeof(*http));
	if (http == NULL)
		return fail(error, error_len, -ENOMEM, "control over HTTP: out of memory");
	http->server = server;
	http->listener.fd = -1;
	int fd = -1, rc = 0;
	if (config->token_file != NULL) {
		http->has_token = true;
		(void)snprintf(
			http->token_file, sizeof(http->token_file), "%s", config->token_file);
		rc = rpc_http_token_reload(http, NULL, error, error_len);
	} else if (config->listen[0] != '/') {
		rc = fail(error, error_len, -EINVAL,
			"control over HTTP: %s: TCP needs a token: set control.http.token_file",
			config->listen);
	}
	if (rc == 0)
		rc = fd = open_socket(http, config, error, error_len);
	if (rc >= 0 && (rc = start(http, base, config, &fd)) < 0)
		(void)fail(error, error_len, rc, "control over HTTP: out of memory");
	if (fd >= 0)
		(void)close(fd);
	if (rc < 0) {
		rpc_http_destroy(http);
		return rc;
	}
	*out = http;
	return 0;
}

void rpc_http_destroy(struct rpc_http *http)
{
	if (http == NULL)
		return;
	if (http->http != NULL)
		evhttp_free(http->http); /* closes connections, and so ends their calls */
	http_clients_destroy(http->clients);
	rpc_listener_close(&http->listener);
	explicit_bzero(&http->token, sizeof(http->token));
	free(http);
}

void rpc_http_stats(const struct rpc_http *http, struct rpc_http_stats *stats)
{
	*stats = (struct rpc_http_stats){
		.clients = http_clients_count(http->clients),
		.clients_dropped = http_clients_dropped(http->clients),
		.requests = http->requests,
		.refused = http->refused,
	};
}
