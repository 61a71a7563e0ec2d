#include "pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_memory.h>

enum { LARGE = 2 << 20 };

static size_t rounded(size_t bytes)
{
	return (bytes + LARGE - 1) / LARGE * LARGE;
}

/* Small blocks would each waste a large page. */
static void *take_small(size_t bytes)
{
	void *at = aligned_alloc(64, (bytes + 63) / 64 * 64);
	return at == NULL ? NULL : memset(at, 0, bytes);
}

void *pages_take(size_t bytes)
{
	if (bytes < LARGE / 2)
		return take_small(bytes);
	size_t len = rounded(bytes);
	uint8_t *at = mmap(NULL, len + LARGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	size_t skip = LARGE - (uintptr_t)at % LARGE;
	if (munmap(at, skip) != 0 || (skip < LARGE && munmap(at + skip + len, LARGE - skip) != 0))
		return NULL;
	at += skip;
	(void)madvise(at, len, MADV_HUGEPAGE); /* without: ordinary pages */
	return memset(at, 0, len);
}

void *pages_or_die(size_t bytes)
{
	void *at = pages_take(bytes);
	if (at == NULL) {
		fprintf(stderr, "no memory for %zu bytes\n", bytes);
		exit(1);
	}
	return at;
}

void pages_free(void *block, size_t bytes)
{
	if (bytes < LARGE / 2)
		free(block);
	else
		(void)munmap(block, rounded(bytes)); /* was mapped so */
}

static void *take(void *context, size_t bytes)
{
	(void)context;
	return pages_take(bytes);
}

static void give(void *context, void *block, size_t bytes)
{
	(void)context;
	pages_free(block, bytes);
}

const struct map_memory pages_for_map = {take, give, NULL};

static int enlarge(const struct rte_memseg_list *list, void *context)
{
	(void)context;
	(void)madvise(list->base_va, list->len, MADV_HUGEPAGE); /* without: ordinary pages */
	return 0;
}

void pages_enlarge_eal(void)
{
	(void)rte_memseg_list_walk(enlarge, NULL); /* the callback never stops it */
}

uint64_t pages_large_mib(void)
{
	char line[256];
	unsigned long kib = 0;
	FILE *f = fopen("/proc/self/smaps_rollup", "re");
	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		(void)sscanf(line, "AnonHugePages: %lu", &kib);
	(void)fclose(f);
	return kib / 1024;
}
