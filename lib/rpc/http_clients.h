/* Who is connected over HTTP, and how long they may take. evhttp itself bounds neither the number
 * of its connections nor the time of a request that comes byte by byte.
 *
 * Each connection's bufferevent is held here besides evhttp, so that its end can be seen (its
 * callbacks are gone) without being told of it.
 */
#pragma once

#include <stdint.h>

#include <event2/event.h>

struct bufferevent;
struct evhttp;
struct evconnlistener;
struct http_clients;

struct http_clients *http_clients_create(struct event_base *base, struct evhttp *http,
	unsigned clients_max, unsigned request_ms_max);
/* After evhttp_free(). */
void http_clients_destroy(struct http_clients *clients);
/* Whose listener is paused while there are far too many. */
void http_clients_listener(struct http_clients *clients, struct evconnlistener *listener);

/* A request of this one is whole: it may take what it takes; answered: the clock runs again. */
void http_clients_asked(struct http_clients *clients, const struct bufferevent *io);
void http_clients_answered(struct http_clients *clients, const struct bufferevent *io);

uint64_t http_clients_count(const struct http_clients *clients);
uint64_t http_clients_dropped(const struct http_clients *clients);
