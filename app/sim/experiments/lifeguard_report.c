#include <stdio.h>

#include "lifeguard.h"

double lifeguard_share(uint64_t a, uint64_t b)
{
	if (b == 0)
		return a == 0 ? 0 : -1;
	return (double)a / (double)b;
}

static void print_share(double ours, double paper)
{
	char text[2][16] = {"-", "-"};
	if (ours >= 0)
		(void)snprintf(text[0], sizeof(text[0]), "%.2f %%", 100 * ours);
	if (paper >= 0)
		(void)snprintf(text[1], sizeof(text[1]), "%.2f %%", 100 * paper);
	printf(" %9s %9s", text[0], text[1]);
}

static void print_latency(struct samples *s)
{
	printf(" %7.2f %7.2f %7.2f", samples_quantile(s, 0.5), samples_quantile(s, 0.99),
		samples_quantile(s, 0.999));
}

void lifeguard_print(struct lifeguard_result results[LIFEGUARD_CONFIGURATIONS])
{
	const struct lifeguard_result *swim = &results[LIFEGUARD_SWIM];
	printf("%-14s %9s %9s %9s %9s %9s %9s %9s %9s %9s %9s\n", "share of SWIM", "fp all",
		"paper", "fp healthy", "paper", "packets", "paper", "bytes", "paper", "fp all",
		"healthy");
	for (uint32_t i = 0; i < LIFEGUARD_CONFIGURATIONS; i++) {
		const struct lifeguard_configuration *c = &lifeguard_configurations[i];
		const struct lifeguard_result *r = &results[i];
		printf("%-14s", c->name);
		print_share(lifeguard_share(r->fp_all, swim->fp_all), c->paper_fp_all);
		print_share(lifeguard_share(r->fp_healthy, swim->fp_healthy), c->paper_fp_healthy);
		print_share(lifeguard_share(r->packets, swim->packets), c->paper_packets);
		print_share(lifeguard_share(r->bytes, swim->bytes), c->paper_bytes);
		printf(" %9llu %9llu\n", (unsigned long long)r->fp_all,
			(unsigned long long)r->fp_healthy);
	}
	printf("\n%-14s %23s %23s %s\n%-14s %7s %7s %7s %7s %7s %7s\n", "detection, s",
		"at the first", "at the last", "not seen by all", "", "median", "99 %", "99.9 %",
		"median", "99 %", "99.9 %");
	for (uint32_t i = 0; i < LIFEGUARD_CONFIGURATIONS; i++) {
		printf("%-14s", lifeguard_configurations[i].name);
		print_latency(&results[i].first_s);
		print_latency(&results[i].all_s);
		printf(" %u of %u\n", results[i].undetected,
			results[i].undetected + results[i].all_s.count);
		if (results[i].runs_failed > 0)
			printf("%u runs failed: the servers did not find each other\n",
				results[i].runs_failed);
	}
}
