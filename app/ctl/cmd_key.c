/* key new, key add, key use, key remove, key list; keys, keys reload */
#include "ctl.h"

#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "seal/seal.h"
#include "table.h"

static int told(const struct ctl *ctl, const char *error)
{
	return ctl_fail(ctl, CTL_REFUSED, "%s", error);
}

static void print_file(struct ctl *ctl, const struct seal_keyring *ring)
{
	json_t *list = json_array();
	struct table *t = table_create(">ID|FINGERPRINT|SEND");
	for (uint32_t i = 0; i < ring->count; i++) {
		char print[SEAL_FINGERPRINT_MAX];
		bool send = ring->keys[i].id == ring->send_id;
		seal_fingerprint(&ring->keys[i], print);
		table_cell(t, STYLE_PLAIN, "%u", ring->keys[i].id);
		table_cell(t, STYLE_PLAIN, "%s", print);
		table_cell(t, STYLE_PLAIN, "%s", send ? "send" : "");
		json_array_append_new(
			list, json_pack("{s:i, s:s, s:b}", "id", (int)ring->keys[i].id,
				      "fingerprint", print, "send", (int)send));
	}
	if (ctl->json) {
		json_t *whole = json_pack("{s:o}", "keys", json_incref(list));
		ctl_print_json(whole);
		json_decref(whole);
	} else {
		table_print(t, stdout, ctl->colour);
	}
	json_decref(list);
	table_free(t);
}

/* Loads, changes, saves and shows a keyring; it is wiped in any case. */
static int edit(struct ctl *ctl, const char *path, bool fresh,
	int (*change)(struct seal_keyring *ring, uint8_t id, char *error), uint8_t id)
{
	struct seal_keyring ring = {.count = 0};
	char error[SEAL_ERROR_MAX];
	int rc = fresh ? 0 : seal_keyring_load(path, &ring, error);
	if (rc == 0 && change != NULL)
		rc = change(&ring, id, error);
	if (rc == 0 && change != NULL)
		rc = seal_keyring_save(path, &ring, fresh, error);
	if (rc == 0)
		print_file(ctl, &ring);
	seal_keyring_wipe(&ring);
	return rc < 0 ? told(ctl, error) : CTL_OK;
}

static int add_key(struct seal_keyring *ring, uint8_t id, char *error)
{
	return seal_keyring_add(ring, &id, error);
}

static int absent(uint8_t id, char *error)
{
	(void)snprintf(error, SEAL_ERROR_MAX, "the keyring has no key %u", id);
	return -1;
}

static int use_key(struct seal_keyring *ring, uint8_t id, char *error)
{
	if (seal_keyring_find(ring, id) == NULL)
		return absent(id, error);
	ring->send_id = id;
	return 0;
}

static int remove_key(struct seal_keyring *ring, uint8_t id, char *error)
{
	const struct seal_key *key = seal_keyring_find(ring, id);
	if (key == NULL)
		return absent(id, error);
	if (ring->send_id == id) {
		(void)snprintf(error, SEAL_ERROR_MAX,
			"key %u is used for sending; use another one first", id);
		return -1;
	}
	size_t at = (size_t)(key - ring->keys);
	ring->keys[at] = ring->keys[--ring->count];
	return 0;
}

static int run_new(struct ctl *ctl, int argc, char **argv)
{
	int code;
	if (!ctl_arguments(ctl, argc, argv, 1, 1, &code))
		return code;
	return edit(ctl, argv[optind], true, add_key, 0);
}

static int run_add(struct ctl *ctl, int argc, char **argv)
{
	int code;
	if (!ctl_arguments(ctl, argc, argv, 1, 1, &code))
		return code;
	return edit(ctl, argv[optind], false, add_key, 0);
}

static int run_list(struct ctl *ctl, int argc, char **argv)
{
	int code;
	if (!ctl_arguments(ctl, argc, argv, 1, 1, &code))
		return code;
	return edit(ctl, argv[optind], false, NULL, 0);
}

static int with_id(struct ctl *ctl, int argc, char **argv,
	int (*change)(struct seal_keyring *ring, uint8_t id, char *error))
{
	int code;
	long id;
	if (!ctl_arguments(ctl, argc, argv, 2, 2, &code))
		return code;
	if (!ctl_number(ctl, "ID", argv[optind + 1], 1, 255, &id))
		return CTL_USAGE;
	return edit(ctl, argv[optind], false, change, (uint8_t)id);
}

static int run_use(struct ctl *ctl, int argc, char **argv)
{
	return with_id(ctl, argc, argv, use_key);
}

static int run_remove(struct ctl *ctl, int argc, char **argv)
{
	return with_id(ctl, argc, argv, remove_key);
}

static void print_live(struct ctl *ctl, const json_t *keys)
{
	const json_t *key;
	char text[FIELD_TEXT_MAX];
	size_t i;
	if (!json_is_true(json_object_get(keys, "sealed"))) {
		(void)puts("INSECURE: packets are in the clear, there is no keyring");
		return;
	}
	(void)printf("keyring  %s\ndevice   %s\n", field_text(keys, "keyring"),
		field_text(keys, "device"));
	struct table *t = table_create(">ID|FINGERPRINT|SEND|>HEARD FROM");
	json_array_foreach(json_object_get(keys, "keys"), i, key)
	{
		table_cell(t, STYLE_PLAIN, "%s", field_any(key, "id", text));
		table_cell(t, STYLE_PLAIN, "%s", field_text(key, "fingerprint"));
		table_cell(t, STYLE_PLAIN, "%s",
			json_is_true(json_object_get(key, "send")) ? "send" : "");
		table_cell(t, STYLE_PLAIN, "%s", field_any(key, "heard_from", text));
	}
	table_print(t, stdout, ctl->colour);
	table_free(t);
}

static int ask(struct ctl *ctl, int argc, char **argv, const char *method)
{
	json_t *keys;
	int code;
	if (!ctl_arguments(ctl, argc, argv, 0, 0, &code))
		return code;
	code = ctl_call(ctl, method, NULL, &keys);
	if (code != CTL_OK)
		return code;
	if (ctl->json)
		ctl_print_json(keys);
	else
		print_live(ctl, keys);
	json_decref(keys);
	return CTL_OK;
}

static int run_keys(struct ctl *ctl, int argc, char **argv)
{
	return ask(ctl, argc, argv, "keys");
}

static int run_reload(struct ctl *ctl, int argc, char **argv)
{
	return ask(ctl, argc, argv, "keys.reload");
}

static const char file_help[] = "FILE is a keyring. The server is not asked; `keys reload`, or "
				"SIGHUP, makes it\nread the file. Rotation, step by step: "
				"docs/security.md.\n";

const struct ctl_command ctl_key_commands[] = {
	{"keys", "", "Print this server's keys, and who sends with which", NULL, run_keys, false},
	{"keys reload", "", "Make this server read its keyring anew", NULL, run_reload, false},
	{"key new", "FILE", "Make a keyring with one key", file_help, run_new, false},
	{"key add", "FILE", "Add a key, not yet for sending", file_help, run_add, false},
	{"key use", "FILE ID", "Send with this key", file_help, run_use, false},
	{"key remove", "FILE ID", "Take a key out", file_help, run_remove, false},
	{"key list", "FILE", "Print ids and fingerprints, never keys", file_help, run_list, false},
	{0},
};
