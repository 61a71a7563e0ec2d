#include "names.h"

#include <stdio.h>
#include <string.h>

bool name_profile(const char *name, struct swim_profile *profile)
{
	static const struct {
		const char *name;
		const struct swim_profile *profile;
	} profiles[] = {{"metal", &swim_profile_metal}, {"lan", &swim_profile_lan},
		{"virtual", &swim_profile_virtual}, {"paper", &swim_profile_paper}};
	for (unsigned i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++)
		if (strcmp(profiles[i].name, name) == 0) {
			*profile = *profiles[i].profile;
			return true;
		}
	return false;
}

static bool *feature(struct swim_features *f, const char *name)
{
	const struct {
		const char *name;
		bool *on;
	} features[] = {
		{"local_health", &f->local_health},
		{"suspicion_shrinks", &f->suspicion_shrinks},
		{"buddy", &f->buddy},
		{"direct", &f->direct},
		{"table_digest", &f->table_digest},
		{"pause_aware", &f->pause_aware},
		{"witnesses", &f->witnesses},
		{"confirm_first", &f->confirm_first},
		{"zones", &f->zones},
	};
	for (unsigned i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (strcmp(features[i].name, name) == 0)
			return features[i].on;
	return NULL;
}

const char *name_features_known(void)
{
	return "all, plain, local_health, suspicion_shrinks, buddy, direct, table_digest, "
	       "pause_aware, witnesses, confirm_first, zones";
}

bool name_features(const char *text, struct swim_features *features, char wrong[64])
{
	char copy[256], *rest = copy, *word;
	(void)snprintf(copy, sizeof(copy), "%s", text);
	*features = swim_features_plain;
	while ((word = strsep(&rest, ",")) != NULL) {
		bool off = *word == '-';
		bool *on = feature(features, word + off);
		if (strcmp(word, "all") == 0) {
			*features = swim_features_all;
		} else if (strcmp(word, "plain") == 0) {
			*features = swim_features_plain;
		} else if (on != NULL) {
			*on = !off;
		} else {
			(void)snprintf(wrong, 64, "%s", word);
			return false;
		}
	}
	return true;
}
