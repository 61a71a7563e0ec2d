#include "persist.h"

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"
#include "deltamap/snapshot.h"
#include "log.h"
#include "ticks.h"

#define NAME    "map.snapshot"
#define FRESH   NAME ".new"
#define DAMAGED NAME ".damaged"

enum { PATH_LEN = 300, BUCKETS_PER_STEP = 64, RETRY_S = 10 };

static void path_of(const struct config *c, const char *name, char path[PATH_LEN])
{
	(void)snprintf(path, PATH_LEN, "%s/%s", c->state_dir, name);
}

/* ---- starting ---- */

/* Between persist_load() and persist_restore(): the start of the one appliance of this process. */
static struct {
	void *bytes;
	size_t len;
	struct snapshot_reader reader;
} loaded;

static void set_aside(const struct config *c, const char *why)
{
	char path[PATH_LEN], aside[PATH_LEN];
	path_of(c, NAME, path);
	path_of(c, DAMAGED, aside);
	if (rename(path, aside) == 0)
		log_line(LOG_ERROR, "%s: %s; it is kept as %s, and this server starts without it",
			path, why, DAMAGED);
	else
		log_line(LOG_ERROR,
			"%s: %s; this server starts without it (and cannot rename it: %s)", path,
			why, strerror(errno));
}

void persist_forget(void)
{
	if (loaded.bytes != NULL)
		(void)munmap(loaded.bytes, loaded.len); /* as it was mapped: cannot fail */
	memset(&loaded, 0, sizeof(loaded));
}

/* 0; -ENOENT: there is none. */
static int map_file(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || st.st_size == 0) {
		int rc = st.st_size == 0 ? -EINVAL : -errno;
		(void)close(fd);
		return rc;
	}
	void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	int rc = bytes == MAP_FAILED ? -errno : 0;
	(void)close(fd); /* it was only read */
	if (rc == 0) {
		loaded.bytes = bytes;
		loaded.len = (size_t)st.st_size;
	}
	return rc;
}

static const char *why_not_ours(const struct config *c, uint64_t cluster_seed)
{
	if (loaded.reader.head.id != c->id)
		return "it is another server's (its id is not this one's)";
	if (loaded.reader.head.cluster_seed != cluster_seed)
		return "it is of another cluster";
	return NULL;
}

void persist_load(const struct config *c, uint64_t cluster_seed, uint32_t *epoch)
{
	char path[PATH_LEN];
	const char *error;
	if (!c->map_persist)
		return;
	path_of(c, NAME, path);
	int rc = map_file(path);
	if (rc == -ENOENT)
		return;
	if (rc < 0) {
		set_aside(c, rc == -EINVAL ? "it is empty" : strerror(-rc));
		return;
	}
	if (!snapshot_open(&loaded.reader, loaded.bytes, loaded.len, &error) ||
		(error = why_not_ours(c, cluster_seed)) != NULL) {
		set_aside(c, error);
		persist_forget();
		return;
	}
	if (loaded.reader.head.epoch >= *epoch)
		*epoch = loaded.reader.head.epoch + 1;
}

void persist_restore(const struct config *c, struct map *map)
{
	if (loaded.bytes == NULL)
		return;
	uint64_t age_ms = ticks_wall_ms() - loaded.reader.head.wall_ms;
	int rc = snapshot_restore_owner(&loaded.reader, map);
	if (rc == 0) {
		log_line(LOG_INFO,
			"started from the map's copy of epoch %" PRIu32
			": %u records, written %" PRIu64 " s ago",
			loaded.reader.head.epoch, map_record_count(map), age_ms / 1000);
	} else {
		map_restore_none_owner(map);
		set_aside(c, rc == -ENOSPC
				     ? "it does not fit; raise map.records_max or map.megabytes"
				     : "it holds a record that no map holds");
	}
	persist_forget();
}

/* ---- writing ---- */

enum phase { PHASE_IDLE, PHASE_WRITING, PHASE_FILE, PHASE_FOLDER };

struct persist {
	enum phase phase;
	int fd, folder;
	struct aiocb sync;
	struct snapshot_writer *writer;
	uint8_t *bytes;
	uint64_t begun_ns, next_ns;
	uint64_t size;
	/* of the map as it was last written */
	uint64_t vector_hash, content_hash, floor;
	bool any;
	struct persist_counters counters;
};

int persist_init(struct control *control)
{
	struct persist *p = calloc(1, sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	p->fd = p->folder = -1;
	p->next_ns = ticks_now_ns() + control->app->config->map_persist_interval_s * SW_NS_PER_S;
	p->bytes = malloc(SNAPSHOT_STEP_MAX);
	control->persist = p;
	return p->bytes != NULL ? 0 : -ENOMEM;
}

const struct persist_counters *persist_counters(const struct control *control)
{
	return &control->persist->counters;
}

static void close_all(struct persist *p)
{
	snapshot_writer_destroy(p->writer);
	p->writer = NULL;
	if (p->fd >= 0)
		(void)close(p->fd); /* what matters was synced before, or is given up */
	if (p->folder >= 0)
		(void)close(p->folder);
	p->fd = p->folder = -1;
	p->phase = PHASE_IDLE;
}

static void give_up(struct control *control, const char *what, int code)
{
	struct persist *p = control->persist;
	char fresh[PATH_LEN];
	path_of(control->app->config, FRESH, fresh);
	log_line(LOG_WARNING, "map.persist: cannot %s %s: %s; tried again in %d s", what, fresh,
		strerror(code), RETRY_S);
	p->counters.copies_failed++;
	close_all(p);
	(void)unlink(fresh); /* it may not be there */
	p->next_ns = ticks_now_ns() + RETRY_S * SW_NS_PER_S;
}

static bool has_changed(const struct persist *p, const struct map *map)
{
	return !p->any || p->vector_hash != map_vector_hash(map) ||
	       p->content_hash != map_content_hash(map) || p->floor != map_floor(map);
}

static void begin(struct control *control, uint64_t now_ns)
{
	struct persist *p = control->persist;
	const struct appliance *app = control->app;
	char fresh[PATH_LEN];
	struct snapshot_head head = {.id = app->config->id,
		.epoch = control->epoch > 0 ? control->epoch : control->info->epoch,
		.cluster_seed = app->cluster_seed,
		.wall_ms = ticks_wall_ms()};
	path_of(app->config, FRESH, fresh);
	p->vector_hash = map_vector_hash(app->map);
	p->content_hash = map_content_hash(app->map);
	p->floor = map_floor(app->map);
	p->begun_ns = now_ns;
	p->size = 0;
	p->writer = snapshot_writer_create(app->map, &head);
	p->fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (p->writer == NULL || p->fd < 0)
		give_up(control, "write", p->writer == NULL ? ENOMEM : errno);
	else
		p->phase = PHASE_WRITING;
}

static bool write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static bool start_sync(struct persist *p, int fd, enum phase phase)
{
	memset(&p->sync, 0, sizeof(p->sync));
	p->sync.aio_fildes = fd;
	p->sync.aio_sigevent.sigev_notify = SIGEV_NONE;
	p->phase = phase;
	return aio_fsync(O_SYNC, &p->sync) == 0;
}

/* True if all is written. */
static bool write_step(struct control *control)
{
	struct persist *p = control->persist;
	size_t len;
	control_online(control);
	int rc = snapshot_step(p->writer, BUCKETS_PER_STEP, p->bytes, &len);
	control_offline(control);
	if (rc == -EAGAIN) {
		p->counters.copies_again++;
		close_all(p);
		p->next_ns = ticks_now_ns() + SW_NS_PER_S;
		return false;
	}
	if (rc < 0 || !write_all(p->fd, p->bytes, len)) {
		give_up(control, "write", rc < 0 ? -rc : errno);
		return false;
	}
	p->size += len;
	return rc == 0;
}

/* What was synced gets its name; then that is synced. */
static void name_it(struct control *control)
{
	struct persist *p = control->persist;
	const struct config *c = control->app->config;
	char path[PATH_LEN], fresh[PATH_LEN];
	path_of(c, NAME, path);
	path_of(c, FRESH, fresh);
	if (rename(fresh, path) < 0) {
		give_up(control, "rename", errno);
		return;
	}
	p->folder = open(c->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->folder < 0 || !start_sync(p, p->folder, PHASE_FOLDER))
		give_up(control, "sync the folder of", errno);
}

static void done(struct control *control, uint64_t now_ns)
{
	struct persist *p = control->persist;
	p->any = true;
	p->counters.copies++;
	p->counters.copy_bytes = p->size;
	p->counters.copy_records = map_record_count(control->app->map);
	p->counters.copy_took_ms = (now_ns - p->begun_ns) / SW_NS_PER_MS;
	close_all(p);
	p->next_ns = now_ns + control->app->config->map_persist_interval_s * SW_NS_PER_S;
}

static void after_sync(struct control *control, uint64_t now_ns)
{
	struct persist *p = control->persist;
	int code = aio_error(&p->sync);
	if (code == EINPROGRESS)
		return;
	(void)aio_return(&p->sync); /* aio_error() has said it */
	if (code != 0)
		give_up(control, "sync", code);
	else if (p->phase == PHASE_FILE)
		name_it(control);
	else
		done(control, now_ns);
}

static void turn(struct control *control, uint64_t now_ns)
{
	struct persist *p = control->persist;
	switch (p->phase) {
	case PHASE_IDLE: begin(control, now_ns); break;
	case PHASE_WRITING:
		if (write_step(control) && !start_sync(p, p->fd, PHASE_FILE))
			give_up(control, "sync", errno);
		break;
	case PHASE_FILE:
	case PHASE_FOLDER: after_sync(control, now_ns); break;
	}
}

void persist_tick(struct control *control, uint64_t now_ns)
{
	struct persist *p = control->persist;
	const struct map *map = control->app->map;
	if (!control->app->config->map_persist || !map_ready(map))
		return;
	if (p->phase == PHASE_IDLE && (now_ns < p->next_ns || !has_changed(p, map)))
		return;
	turn(control, now_ns);
	if (p->phase == PHASE_WRITING)
		control_soon(control);
}

void persist_finish(struct control *control)
{
	struct persist *p = control->persist;
	if (p == NULL || !control->app->config->map_persist || !map_ready(control->app->map))
		return;
	const struct aiocb *list[] = {&p->sync};
	uint64_t failed = p->counters.copies_failed, again = p->counters.copies_again;
	do {
		if (p->phase >= PHASE_FILE)
			(void)aio_suspend(list, 1, NULL); /* a signal: asked again */
		turn(control, ticks_now_ns());
		/* A copy that was under way is of some moments ago: one more. */
	} while (p->counters.copies_failed == failed && p->counters.copies_again == again &&
		 (p->phase != PHASE_IDLE || has_changed(p, control->app->map)));
}

void persist_fini(struct control *control)
{
	struct persist *p = control->persist;
	if (p == NULL)
		return;
	const struct aiocb *list[] = {&p->sync};
	while (p->phase >= PHASE_FILE && aio_error(&p->sync) == EINPROGRESS)
		(void)aio_suspend(list, 1, NULL);
	close_all(p);
	free(p->bytes);
	free(p);
	control->persist = NULL;
}
