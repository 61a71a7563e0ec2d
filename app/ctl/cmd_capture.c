/* capture: writes the file itself, so that the server touches no file for a client. */
#include "ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endpoint.h"
#include "fields.h"
#include "rpc/base64.h"

/* The classic pcap format (draft-ietf-opsawg-pcap): raw IP packets, microseconds. */
enum { PCAP_RAW_IP = 101, SNAP = 65535, IPV4 = 20, IPV6 = 40, UDP = 8, PACKET_MAX = 9978 };

static struct {
	FILE *out;
	struct sw_endpoint self;
	unsigned long packets;
	int64_t missed;
} pcap;

static void put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* IP and UDP headers as they would be without checksums; their length. */
static size_t put_headers(uint8_t *at, const struct sw_endpoint *from, const struct sw_endpoint *to,
	size_t payload_len)
{
	size_t udp_len = UDP + payload_len, ip_len = IPV6;
	memset(at, 0, IPV6 + UDP);
	if (sw_endpoint_is_ipv4(from) && sw_endpoint_is_ipv4(to)) {
		ip_len = IPV4;
		at[0] = 0x45;
		put16(at + 2, IPV4 + udp_len);
		at[8] = 64;
		at[9] = 17;
		memcpy(at + 12, from->addr + 12, 4);
		memcpy(at + 16, to->addr + 12, 4);
	} else {
		at[0] = 0x60;
		put16(at + 4, udp_len);
		at[6] = 17;
		at[7] = 64;
		memcpy(at + 8, from->addr, 16);
		memcpy(at + 24, to->addr, 16);
	}
	put16(at + ip_len, from->port);
	put16(at + ip_len + 2, to->port);
	put16(at + ip_len + 4, udp_len);
	return ip_len + UDP;
}

static void write_packet(const json_t *p)
{
	uint8_t bytes[IPV6 + UDP + PACKET_MAX];
	struct sw_endpoint peer;
	size_t len = 0, whole = (size_t)field_number(p, "length");
	void *payload = base64_decode(field_text(p, "base64"), &len);
	if (payload == NULL || len > PACKET_MAX ||
		sw_endpoint_parse(field_text(p, "peer"), 0, &peer) < 0) {
		free(payload);
		return;
	}
	bool sent = json_is_true(json_object_get(p, "sent"));
	size_t headers =
		put_headers(bytes, sent ? &pcap.self : &peer, sent ? &peer : &pcap.self, whole);
	memcpy(bytes + headers, payload, len);
	free(payload);
	int64_t at_us = field_number(p, "at_us");
	uint32_t record[4] = {(uint32_t)(at_us / 1000000), (uint32_t)(at_us % 1000000),
		(uint32_t)(headers + len), (uint32_t)(headers + whole)};
	(void)fwrite(record, sizeof(record), 1, pcap.out); /* told by the last flush */
	(void)fwrite(bytes, headers + len, 1, pcap.out);
	pcap.packets++;
}

static void take(struct ctl *ctl, const char *method, const json_t *params)
{
	(void)ctl;
	if (method != NULL && strcmp(method, "capture.packet") == 0)
		write_packet(params);
}

/* What was missed is no packet: it does not count. */
static bool note(struct ctl *ctl, const char *method, const json_t *params)
{
	(void)ctl;
	if (method == NULL || strcmp(method, "capture.packet") == 0)
		return false;
	if (strcmp(method, "capture.missed") == 0)
		pcap.missed = field_number(params, "packets");
	return true;
}

static int open_file(struct ctl *ctl, const char *path)
{
	const uint32_t magic = 0xa1b2c3d4, rest[] = {0, 0, SNAP, PCAP_RAW_IP};
	const uint16_t version[] = {2, 4};
	pcap.out = strcmp(path, "-") == 0 ? stdout : fopen(path, "wb");
	if (pcap.out == NULL)
		return ctl_fail(ctl, CTL_USAGE, "%s: %s", path, strerror(errno));
	(void)fwrite(&magic, sizeof(magic), 1, pcap.out);
	(void)fwrite(version, sizeof(version), 1, pcap.out);
	(void)fwrite(rest, sizeof(rest), 1, pcap.out);
	return CTL_OK;
}

static bool take_option(
	struct ctl *ctl, int option, json_t *params, struct ctl_limit *limit, int *code)
{
	json_t *types;
	char *rest = optarg;
	long number;
	*code = CTL_USAGE;
	switch (option) {
	case 'p': return json_object_set_new(params, "peer", json_string(optarg)) == 0;
	case 'C': return json_object_set_new(params, "clear", json_true()) == 0;
	case 'f': return ctl_duration(ctl, "--for", optarg, &limit->for_ms);
	case 'c':
		if (!ctl_number(ctl, "--count", optarg, 1, INT32_MAX, &number))
			return false;
		limit->count = (unsigned long)number;
		return true;
	case 'r':
		return ctl_number(ctl, "--rate", optarg, 1, 100000, &number) &&
		       json_object_set_new(params, "rate_max", json_integer(number)) == 0;
	case 't':
		types = json_array();
		for (char *name; (name = strsep(&rest, ",")) != NULL;)
			json_array_append_new(types, json_string(name));
		return json_object_set_new(params, "types", types) == 0;
	default: *code = ctl_stop_code(); return false;
	}
}

static int run_capture(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {{"peer", required_argument, NULL, 'p'},
		{"type", required_argument, NULL, 't'}, {"rate", required_argument, NULL, 'r'},
		{"count", required_argument, NULL, 'c'}, {"for", required_argument, NULL, 'f'},
		{"clear", no_argument, NULL, 'C'}, {0}};
	struct ctl_limit limit = {.note = note};
	json_t *params = json_object(), *status;
	int option, code;
	while ((option = ctl_options(ctl, argc, argv, options)) != -1)
		if (!take_option(ctl, option, params, &limit, &code)) {
			json_decref(params);
			return code;
		}
	if (optind + 1 != argc) {
		json_decref(params);
		return ctl_usage(ctl, "wants a file to write, or - for standard output");
	}
	code = ctl_call(ctl, "status", NULL, &status);
	if (code != CTL_OK) {
		json_decref(params);
		return code;
	}
	(void)sw_endpoint_parse(field_text(status, "address"), 0, &pcap.self);
	json_decref(status);
	code = open_file(ctl, argv[optind]);
	if (code == CTL_OK)
		code = ctl_follow(ctl, "capture", params, limit, take);
	else
		json_decref(params);
	if (pcap.out != NULL && (fflush(pcap.out) != 0 || ferror(pcap.out)))
		code = ctl_fail(ctl, CTL_REFUSED, "%s: cannot be written", argv[optind]);
	if (!ctl->quiet)
		(void)fprintf(
			stderr, "%lu packets, %lld missed\n", pcap.packets, (long long)pcap.missed);
	return code;
}

const struct ctl_command ctl_capture_commands[] = {
	{"capture", "[OPTIONS] FILE|-", "Write a pcap file of what lanes take in and send",
		"  --peer SERVER  only packets from and to it\n"
		"  --type T,...   only packets with such a message: PING, ACK, RECORD, ...\n"
		"  --rate N       at most so many packets a second and lane (1000)\n"
		"  --count N      end after so many\n"
		"  --for TIME     end after this time, as in 500ms, 5s, 2m\n"
		"  --clear        whole packets, deciphered: where packets are sealed, only if\n"
		"                 the server's control.capture_clear allows it; else headers "
		"alone\n"
		"scripts/wireshark/swimlane.lua shows every field of it.\n",
		run_capture, false},
	{0},
};
