#include "rpc/http_clients.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>

#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>

enum { SWEEP_MS = 100 };

struct http_client {
	TAILQ_ENTRY(http_client) link;
	struct bufferevent *io;
	uint64_t due_ms; /* of its next whole request; 0: it waits for us */
};

struct http_clients {
	struct event_base *base;
	struct event *sweep;
	struct evconnlistener *listener;
	bool paused;
	unsigned clients_max;
	unsigned request_ms_max;
	TAILQ_HEAD(, http_client) list; /* in order of arrival */
	unsigned count;
	uint64_t dropped;
};

static uint64_t now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail with this clock */
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool is_over(const struct http_client *c)
{
	bufferevent_event_cb on_event = NULL;
	bufferevent_getcb(c->io, NULL, NULL, &on_event, NULL);
	return on_event == NULL;
}

static void forget(struct http_clients *clients, struct http_client *c)
{
	TAILQ_REMOVE(&clients->list, c, link);
	clients->count--;
	(void)bufferevent_decref(c->io);
	free(c);
}

/* evhttp sees the end of the stream, and closes. */
static void cut(struct http_clients *clients, struct http_client *c)
{
	int fd = bufferevent_getfd(c->io);
	c->due_ms = UINT64_MAX;
	clients->dropped++;
	if (fd >= 0)
		(void)shutdown(fd, SHUT_RDWR);
}

static void drop_oldest(struct http_clients *clients)
{
	struct http_client *c, *oldest = NULL;
	TAILQ_FOREACH (c, &clients->list, link)
		if (c->due_ms != 0 && c->due_ms != UINT64_MAX && !is_over(c) &&
			(oldest == NULL || c->due_ms < oldest->due_ms))
			oldest = c;
	if (oldest != NULL)
		cut(clients, oldest);
}

static void on_sweep(evutil_socket_t fd, short what, void *context)
{
	struct http_clients *clients = context;
	struct http_client *next;
	uint64_t now = now_ms();
	(void)fd, (void)what;
	for (struct http_client *c = TAILQ_FIRST(&clients->list); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (is_over(c))
			forget(clients, c);
		else if (c->due_ms != 0 && c->due_ms != UINT64_MAX && now >= c->due_ms)
			cut(clients, c);
	}
	if (clients->paused && clients->count <= clients->clients_max)
		clients->paused = evconnlistener_enable(clients->listener) < 0;
}

/* evhttp asks for the bufferevent of a connection that it has just accepted. Without memory it
 * makes one of its own, which is then not watched. */
static struct bufferevent *on_connection(struct event_base *base, void *context)
{
	struct http_clients *clients = context;
	struct http_client *c = calloc(1, sizeof(*c));
	struct bufferevent *io = c != NULL ? bufferevent_socket_new(base, -1, 0) : NULL;
	if (io == NULL) {
		free(c);
		return NULL;
	}
	if (clients->count >= clients->clients_max)
		drop_oldest(clients);
	bufferevent_incref(io);
	c->io = io;
	c->due_ms = now_ms() + clients->request_ms_max;
	TAILQ_INSERT_TAIL(&clients->list, c, link);
	if (++clients->count >= 2 * clients->clients_max && clients->listener != NULL)
		clients->paused = evconnlistener_disable(clients->listener) == 0;
	return io;
}

static struct http_client *find(struct http_clients *clients, const struct bufferevent *io)
{
	struct http_client *c;
	TAILQ_FOREACH (c, &clients->list, link)
		if (c->io == io)
			return c;
	return NULL;
}

void http_clients_asked(struct http_clients *clients, const struct bufferevent *io)
{
	struct http_client *c = find(clients, io);
	if (c != NULL && c->due_ms != UINT64_MAX)
		c->due_ms = 0;
}

void http_clients_answered(struct http_clients *clients, const struct bufferevent *io)
{
	struct http_client *c = find(clients, io);
	if (c != NULL && c->due_ms != UINT64_MAX)
		c->due_ms = now_ms() + clients->request_ms_max;
}

uint64_t http_clients_count(const struct http_clients *clients)
{
	return clients->count;
}

uint64_t http_clients_dropped(const struct http_clients *clients)
{
	return clients->dropped;
}

void http_clients_listener(struct http_clients *clients, struct evconnlistener *listener)
{
	clients->listener = listener;
}

struct http_clients *http_clients_create(
	struct event_base *base, struct evhttp *http, unsigned clients_max, unsigned request_ms_max)
{
	const struct timeval period = {.tv_usec = SWEEP_MS * 1000};
	struct http_clients *clients = calloc(1, sizeof(*clients));
	if (clients == NULL)
		return NULL;
	clients->base = base;
	clients->clients_max = clients_max;
	clients->request_ms_max = request_ms_max;
	TAILQ_INIT(&clients->list);
	clients->sweep = event_new(base, -1, EV_PERSIST, on_sweep, clients);
	if (clients->sweep == NULL || event_add(clients->sweep, &period) < 0) {
		http_clients_destroy(clients);
		return NULL;
	}
	evhttp_set_bevcb(http, on_connection, clients);
	return clients;
}

void http_clients_destroy(struct http_clients *clients)
{
	if (clients == NULL)
		return;
	while (!TAILQ_EMPTY(&clients->list))
		forget(clients, TAILQ_FIRST(&clients->list));
	if (clients->sweep != NULL)
		event_free(clients->sweep);
	free(clients);
}
