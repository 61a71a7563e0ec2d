#include "config_text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endpoint.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

const char *config_check_name(const char *text)
{
	if (text[strspn(text, NAME_CHARS)] != '\0')
		return "has a character that a name cannot have; use letters, digits, '.', '_' and "
		       "'-'";
	return NULL;
}

static const char *check_unicast(const struct sw_endpoint *e)
{
	static const uint8_t zero[16];
	uint8_t first = e->addr[0];
	uint8_t any[16];

	memcpy(any, e->addr, sizeof(any));
	if (sw_endpoint_is_ipv4(e)) {
		first = e->addr[12];
		any[10] = any[11] = 0;
		if (first >= 224)
			return "is a multicast, reserved or broadcast address; give a server's own "
			       "address";
	} else if (first == 0xff) {
		return "is a multicast address; give a server's own address";
	}
	if (memcmp(any, zero, sizeof(zero)) == 0)
		return "is the unspecified address; give a server's own address";
	return NULL;
}

const char *config_check_seed(const char *text)
{
	struct sw_endpoint e;
	if (sw_endpoint_parse(text, 1, &e) < 0)
		return "is not an address; write 10.0.0.1:7946 or [2001:db8::1]:7946 (names are "
		       "not resolved)";
	return check_unicast(&e);
}

const char *config_check_address(const char *text)
{
	struct sw_endpoint e;
	if (sw_endpoint_parse(text, 0, &e) < 0)
		return "is not an address; write it like 10.0.0.1 or 2001:db8::1";
	if (e.port != 0)
		return "has a port; write the address alone, and the port as port.udp_port";
	return check_unicast(&e);
}

bool config_parse_mac(const char *text, uint8_t mac[6])
{
	if (strlen(text) != 17)
		return false;
	for (int i = 0; i < 6; i++) {
		const char *at = text + 3 * i;
		if (!isxdigit((unsigned char)at[0]) || !isxdigit((unsigned char)at[1]))
			return false;
		if (i < 5 && at[2] != ':')
			return false;
		mac[i] = (uint8_t)strtoul(at, NULL, 16);
	}
	return true;
}

const char *config_check_mac(const char *text)
{
	static const uint8_t zero[6];
	uint8_t mac[6];
	if (!config_parse_mac(text, mac))
		return "is not a MAC address; write it like 02:00:00:00:00:01";
	if ((mac[0] & 1) != 0 || memcmp(mac, zero, sizeof(zero)) == 0)
		return "is not one station's address; the first byte must be even, and not all be "
		       "zero";
	return NULL;
}

const char *config_check_path(const char *text)
{
	return text[0] == '/' ? NULL : "is not an absolute path; let it begin with /";
}

/* DPDK takes it as one of several arguments with commas between them. */
const char *config_check_memif_socket(const char *text)
{
	if (strchr(text, ',') != NULL)
		return "has a comma, which DPDK takes for the end of the path; give one without";
	return config_check_path(text);
}

bool config_parse_mode(const char *text, uint32_t *mode)
{
	size_t len = strlen(text);
	if (len < 3 || len > 4 || strspn(text, "01234567") != len || (len == 4 && text[0] != '0'))
		return false;
	*mode = (uint32_t)strtoul(text, NULL, 8);
	return true;
}

const char *config_check_mode(const char *text)
{
	uint32_t mode;
	if (!config_parse_mode(text, &mode))
		return "is not a file mode; write three octal digits like \"0660\"";
	if ((mode & 0600) != 0600)
		return "shuts out its own user; the first digit must be 6 or 7";
	return NULL;
}

/* As the kernel's dev_valid_name(), and no comma: DPDK takes the name as one argument of several.
 */
const char *config_check_interface(const char *text)
{
	if (strlen(text) > 15)
		return "is longer than 15 bytes; give the interface's name as `ip link` shows it";
	if (strpbrk(text, "/:, \t") != NULL || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return "is no name of an interface; give it as `ip link` shows it";
	return NULL;
}

const char *config_check_pci(const char *text)
{
	unsigned domain = 0, bus, device, function;
	int end = 0;
	bool whole = strspn(text, "0123456789abcdefABCDEF:.") == strlen(text);
	if (whole &&
		sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &end) == 4 &&
		text[end] == '\0' && device < 32 && function < 8)
		return NULL;
	return "is not a PCI address; write it like 0000:3b:00.0, as `dpdk-devbind.py --status` "
	       "shows it";
}

bool config_parse_number(const char *text, uint64_t *value)
{
	uint64_t v = 0;
	if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
		return false;
	for (const char *c = text; *c != '\0'; c++) {
		if (*c < '0' || *c > '9' || __builtin_mul_overflow(v, 10u, &v) ||
			__builtin_add_overflow(v, (uint64_t)(*c - '0'), &v))
			return false;
	}
	*value = v;
	return true;
}

bool config_parse_id(const char *text, uint64_t *value)
{
	if (text[0] != '0' || (text[1] != 'x' && text[1] != 'X'))
		return config_parse_number(text, value);
	const char *digits = text + 2;
	size_t len = strlen(digits);
	if (len < 1 || len > 16 || strspn(digits, "0123456789abcdefABCDEF") != len)
		return false;
	*value = strtoull(digits, NULL, 16);
	return true;
}

bool config_parse_ms(const char *text, uint64_t *us)
{
	char whole[16];
	const char *point = strchr(text, '.');
	size_t whole_len = point == NULL ? strlen(text) : (size_t)(point - text);
	if (whole_len >= sizeof(whole))
		return false;
	memcpy(whole, text, whole_len);
	whole[whole_len] = '\0';

	uint64_t ms, fraction = 0;
	if (!config_parse_number(whole, &ms))
		return false;
	if (point != NULL) {
		size_t len = strlen(point + 1);
		if (len < 1 || len > 3 || strspn(point + 1, "0123456789") != len)
			return false;
		for (size_t i = 0; i < 3; i++)
			fraction = fraction * 10 + (i < len ? (uint64_t)(point[1 + i] - '0') : 0);
	}
	*us = ms * 1000 + fraction; /* at most 15 digits: no overflow */
	return true;
}

bool config_parse_switch(const char *text, bool *value)
{
	*value = strcmp(text, "true") == 0;
	return *value || strcmp(text, "false") == 0;
}
