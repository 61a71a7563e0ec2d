/* Breaks one rule of membership after the other and shows that the model check, or a scene,
 * notices. With no rule broken neither notices anything (swim_model_test looks further). Prints
 * what caught which, and after how many states. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "explore.h"
#include "scene.h"
#include "swim/mutation.h"

enum { STATES_MAX = 100000, CONTROL_STATES_MAX = 5000 };

enum swim_mutation swim_mutation;

static const char *const names[SWIM_MUTATION_COUNT] = {
	"none",
	"epoch ignored",
	"incarnation not compared",
	"reaped records accepted again",
	"hearsay counted as confirmation",
	"pause verdicts not voided",
	"dead in a table page taken as news",
	"digest blind to incarnations",
	"no refutation",
	"JOIN_ACK ignored",
};

/* True if something noticed. */
static bool try_mutation(enum swim_mutation mutation)
{
	static struct explored e;
	uint64_t states = 0;
	swim_mutation = mutation;
	const char *broken = scene_pause();
	if (broken != NULL) {
		printf("| %s | scene: %s | |\n", names[mutation], broken);
		return true;
	}
	for (int i = 0; i < WORLDS; i++) {
		if (explore(&worlds[i],
			    mutation == SWIM_MUTATION_NONE ? CONTROL_STATES_MAX : STATES_MAX,
			    &e) != 0)
			abort();
		states += e.states;
		if (e.broken == NULL)
			continue;
		printf("| %s | model, \"%s\": %s | %" PRIu64 " |\n", names[mutation],
			worlds[i].name, e.broken, states);
		if (getenv("SW_MODEL_TRACE") != NULL)
			printf("%s", e.trace);
		return true;
	}
	printf("| %s | nothing | %" PRIu64 " |\n", names[mutation], states);
	return false;
}

int main(void)
{
	int wrong = 0;
	printf("| mutation | caught by | states needed |\n|---|---|---|\n");
	for (int m = SWIM_MUTATION_NONE; m < SWIM_MUTATION_COUNT; m++) {
		bool caught = try_mutation((enum swim_mutation)m);
		wrong += caught != (m != SWIM_MUTATION_NONE);
		fflush(stdout);
	}
	return wrong == 0 ? 0 : 1;
}
