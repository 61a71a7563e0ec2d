#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void options_usage(void)
{
	(void)fputs("swimlane-bench --vdev ARGUMENTS --from ADDRESS:PORT --to ADDRESS:PORT [option "
		    "...]\n"
		    "swimlane-bench serf --help\n"
		    "  --vdev ARGUMENTS   the port, as DPDK takes it: "
		    "net_memif0,role=client,socket=...\n"
		    "  --from, --to       of the first peer (the others have the addresses behind "
		    "it), and\n"
		    "                     of the server\n"
		    "  --mac, --to-mac    Ethernet addresses, own and the server's\n"
		    "  --cluster NAME     the server's (default bench)\n"
		    "  --keyring FILE     seal with its sending key; without: in the clear\n"
		    "  --peers N          senders with an id, an epoch and an address each "
		    "(default 64)\n"
		    "  --queues N         spread the peers over so many queues (default 1)\n"
		    "  --echo             the other side sends back what it gets: testpmd\n"
		    "  --cpu N            where the source runs (default: the last)\n"
		    "  --memory MIB       (default 128)\n"
		    "Then each line of standard input is a measurement, and is answered with one "
		    "JSON line:\n"
		    "  run ms=1000 [kind=probes|rtt|junk] [rate=PACKETS_PER_S] [flight=256] "
		    "[window_us=250]\n"
		    "without a rate: as fast as answers come, with so many under way.\n",
		stderr);
}

static int parse_mac(const char *text, uint8_t mac[6])
{
	char end;
	return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx%c", &mac[0], &mac[1], &mac[2], &mac[3],
		       &mac[4], &mac[5], &end) == 6
		       ? 0
		       : -EINVAL;
}

static int parse_number(const char *text, long min, long max, long *value)
{
	char *end;
	*value = strtol(text, &end, 10);
	return *end == '\0' && end != text && *value >= min && *value <= max ? 0 : -EINVAL;
}

static int take_text(const char *text, char *into, size_t cap)
{
	return (size_t)snprintf(into, cap, "%s", text) < cap ? 0 : -EINVAL;
}

static int take(int option, const char *value, struct options *o)
{
	long n = 0;
	int rc = -EINVAL;
	switch (option) {
	case 'v': return take_text(value, o->vdev, sizeof(o->vdev));
	case 'k': return take_text(value, o->keyring, sizeof(o->keyring));
	case 'c': return take_text(value, o->cluster, sizeof(o->cluster));
	case 'f': return sw_endpoint_parse(value, 0, &o->from);
	case 't': return sw_endpoint_parse(value, 0, &o->to);
	case 'm': return parse_mac(value, o->mac);
	case 'M': return parse_mac(value, o->to_mac);
	case 'e': o->echo = true; return 0;
	case 'p':
		rc = parse_number(value, 1, SEAL_SENDERS_MAX, &n);
		o->peers = (uint16_t)n;
		break;
	case 'q':
		rc = parse_number(value, 1, BENCH_QUEUES_MAX, &n);
		o->queues = (uint16_t)n;
		break;
	case 'C':
		rc = parse_number(value, 0, 1023, &n);
		o->cpu = (int)n;
		break;
	case 'g':
		rc = parse_number(value, 32, 65536, &n);
		o->memory_mib = (uint32_t)n;
		break;
	}
	return rc;
}

int options_parse(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {{"vdev", 1, NULL, 'v'}, {"keyring", 1, NULL, 'k'},
		{"cluster", 1, NULL, 'c'}, {"from", 1, NULL, 'f'}, {"to", 1, NULL, 't'},
		{"mac", 1, NULL, 'm'}, {"to-mac", 1, NULL, 'M'}, {"echo", 0, NULL, 'e'},
		{"peers", 1, NULL, 'p'}, {"queues", 1, NULL, 'q'}, {"cpu", 1, NULL, 'C'},
		{"memory", 1, NULL, 'g'}, {NULL, 0, NULL, 0}};
	int option, index = 0;
	*o = (struct options){.cluster = "bench",
		.mac = {2, 0, 0, 0, 0, 2},
		.to_mac = {2, 0, 0, 0, 0, 1},
		.peers = 64,
		.queues = 1,
		.memory_mib = 128,
		.cpu = -1};
	while ((option = getopt_long(argc, argv, "", known, &index)) != -1)
		if (option == '?' || take(option, optarg, o) < 0) {
			if (option != '?')
				(void)fprintf(stderr, "swimlane-bench: --%s %s: out of range\n",
					known[index].name, optarg);
			return -EINVAL;
		}
	bool whole = o->vdev[0] != '\0' && o->from.port != 0 && o->to.port != 0;
	if (!whole || optind != argc) {
		options_usage();
		return -EINVAL;
	}
	return 0;
}
