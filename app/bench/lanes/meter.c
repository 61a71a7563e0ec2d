#include "meter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void meter_clear(struct meter *m)
{
	m->sent = m->answered = m->lost = m->opened = m->bad = m->other = m->cycles = 0;
	m->windows_seen = m->window_count = m->sample_count = 0;
	m->deltas = m->probes = m->acks = m->late = m->reordered = m->moved = 0;
	memset(m->by_lane, 0, sizeof(m->by_lane));
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static uint32_t quantile(const uint32_t *sorted, uint32_t count, uint32_t thousandths)
{
	return count == 0 ? 0 : sorted[(uint64_t)(count - 1) * thousandths / 1000];
}

static void print_probes(const struct meter *m)
{
	unsigned lanes = METER_LANES_MAX;
	while (lanes > 0 && m->by_lane[lanes - 1] == 0)
		lanes--;
	if (m->deltas > 0)
		printf(",\"deltas\":%" PRIu64, m->deltas);
	if (m->probes > 0)
		printf(",\"probes\":{\"sent\":%" PRIu64 ",\"answered\":%" PRIu64
		       ",\"lost\":%" PRIu64 ",\"late\":%" PRIu64 "}",
			m->probes, m->acks, m->probes - m->acks, m->late);
	if (lanes > 0)
		printf(",\"flows\":{\"reordered\":%" PRIu64 ",\"moved\":%" PRIu64 ",\"by_lane\":[",
			m->reordered, m->moved);
	for (unsigned l = 0; l < lanes; l++)
		printf("%s%" PRIu64, l > 0 ? "," : "", m->by_lane[l]);
	if (lanes > 0)
		printf("]}");
}

void meter_print(struct meter *m, uint64_t hz, uint32_t window_us)
{
	double seconds = (double)m->cycles / (double)hz, window = window_us / 1e6;
	qsort(m->windows, m->window_count, sizeof(m->windows[0]), compare);
	qsort(m->samples, m->sample_count, sizeof(m->samples[0]), compare);
	printf("{\"sent\":%" PRIu64 ",\"answered\":%" PRIu64 ",\"lost\":%" PRIu64
	       ",\"opened\":%" PRIu64 ",\"bad\":%" PRIu64 ",\"other\":%" PRIu64
	       ",\"seconds\":%.6f,\"rate\":%.0f",
		m->sent, m->answered, m->lost, m->opened, m->bad, m->other, seconds,
		seconds > 0 ? (double)m->answered / seconds : 0);
	printf(",\"windows\":%u,\"windows_seen\":%u,\"window_rate\":{\"p50\":%.0f,\"p90\":%.0f,"
	       "\"p99\":%.0f}",
		m->window_count, m->windows_seen,
		quantile(m->windows, m->window_count, 500) / window,
		quantile(m->windows, m->window_count, 900) / window,
		quantile(m->windows, m->window_count, 990) / window);
	if (m->sample_count > 0)
		printf(",\"rtt_us\":{\"count\":%u,\"p50\":%.2f,\"p99\":%.2f,\"p99.9\":%.2f,"
		       "\"max\":%.2f}",
			m->sample_count, quantile(m->samples, m->sample_count, 500) / 1e3,
			quantile(m->samples, m->sample_count, 990) / 1e3,
			quantile(m->samples, m->sample_count, 999) / 1e3,
			m->samples[m->sample_count - 1] / 1e3);
	print_probes(m);
	printf("}\n");
	(void)fflush(stdout);
}
