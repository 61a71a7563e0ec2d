#include "methods.h"
#include "rpc/rpc.h"

/* clang-format off */
static const struct rpc_field keys_result[] = {
	{"sealed", "boolean", "false: packets are in the clear"},
	{"keyring", "text | null", "Its file"},
	{"device", "text | null", "What seals, and why it was chosen"},
	{"keys[].id", "integer 1..255", ""},
	{"keys[].fingerprint", "text", "Tells keys apart; says nothing about them"},
	{"keys[].send", "boolean", "Used for sending"},
	{"keys[].heard_from", "integer", "Live members whose last packet was sealed with it"},
	{"senders", "integer", "Lives of other servers that have a place in the table"},
	{"reloads", "integer", "Keyrings taken over since the start"},
	{"counters.*", "integer", "See [counters](operations.md#counters)"},
	{NULL, NULL, NULL},
};

static const struct rpc_method_error reload_errors[] = {
	{RPC_REFUSED, "the file cannot be used; the keyring stays as it was"}, {0, NULL}};

#define KEYS_ANSWER \
	"{\"sealed\":true,\"keyring\":\"/etc/swimlane/keyring\",\"device\":\"crypto_aesni_gcm, called directly\"," \
	"\"keys\":[{\"id\":1,\"fingerprint\":\"6b1f0c93a77d02e8\",\"send\":true,\"heard_from\":4}]," \
	"\"senders\":4,\"reloads\":0,\"counters\":{\"admitted\":1,\"forged\":0,\"no_key\":0,\"no_room\":0," \
	"\"answer_full\":0}}"

const struct rpc_method_info methods_keys[] = {
	{.name = "keys", .summary = "The keyring, and who sends with which key",
		.result = keys_result, .answer = KEYS_ANSWER},
	{.name = "keys.reload", .summary = "Read the keyring anew, as SIGHUP does",
		.result = keys_result, .errors = reload_errors, .writes = true, .answer = KEYS_ANSWER},
	{.name = NULL},
};
