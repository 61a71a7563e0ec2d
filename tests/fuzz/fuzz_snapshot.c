/* Any bytes as a map's copy, with the checksum put right, so that all behind it is reached. What is
 * taken is restored into a map, written again and read again: the same content. */
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/clock.h"
#include "deltamap/snapshot.h"

enum { RECORDS_MAX = 1000, COPY_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static struct map *map_make(void)
{
	struct map_config c = {
		.self = {1, UINT32_MAX},
		.cluster_seed = 5,
		.records_max = RECORDS_MAX,
		.bytes_max = RECORDS_MAX * 400,
		.pull_interval_ns = SW_NS_PER_S,
		.resend_ns = SW_NS_PER_S,
		.session_timeout_ns = SW_NS_PER_S,
		.packets_per_s_max = 1000,
	};
	struct map *map = map_create(&c, SW_NS_PER_S);
	must(map != NULL);
	return map;
}

static size_t write_again(const struct map *map, const struct snapshot_head *head, uint8_t *bytes)
{
	struct snapshot_writer *w = snapshot_writer_create(map, head);
	size_t len = 0, step;
	int rc;
	must(w != NULL);
	do {
		must(len + SNAPSHOT_STEP_MAX <= 2 * COPY_MAX);
		rc = snapshot_step(w, 4096, bytes + len, &step);
		must(rc >= 0);
		len += step;
	} while (rc == 1);
	snapshot_writer_destroy(w);
	return len;
}

static void check_again(const struct map *map, const struct snapshot_head *head)
{
	static uint8_t again[2 * COPY_MAX];
	static struct snapshot_reader r;
	const char *error;
	size_t len = write_again(map, head, again);
	must(snapshot_open(&r, again, len, &error));
	struct map *other = map_make();
	must(snapshot_restore_owner(&r, other) == 0);
	must(map_content_hash(other) == map_content_hash(map));
	must(map_vector_hash(other) == map_vector_hash(map) && map_floor(other) == map_floor(map));
	map_destroy(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct snapshot_reader r;
	const char *error;
	if (size < 8 || size > COPY_MAX)
		return 0;
	uint8_t *copy = malloc(size);
	must(copy != NULL);
	memcpy(copy, data, size);
	uint64_t sum = htobe64(XXH3_64bits(copy, size - 8));
	memcpy(copy + size - 8, &sum, 8);
	if (snapshot_open(&r, copy, size, &error)) {
		struct map *map = map_make();
		struct snapshot_head head = r.head;
		if (snapshot_restore_owner(&r, map) == 0)
			check_again(map, &head);
		map_destroy(map);
	} else {
		must(error != NULL);
	}
	free(copy);
	return 0;
}
