/* Profiles and features by name. */
#pragma once

#include <stdbool.h>

#include "swim/swim.h"

/* metal, lan, virtual, paper. */
bool name_profile(const char *name, struct swim_profile *profile);
/* all | plain, then or instead names to add, or with - to take away: "all,-buddy", "plain,direct",
 * "local_health,buddy". *wrong is the word that is none. */
bool name_features(const char *text, struct swim_features *features, char wrong[64]);
const char *name_features_known(void);
