/* SPDX-License-Identifier: Apache-2.0 */
/* libcyaml's schema of a policy file, and its complaints in our words. */
#include "policy/yaml.h"

#include "base/log.h"
#include "policy/rules.h"
#include "policy/yaml_scan.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define STRING(key, type, member) \
	CYAML_FIELD_STRING_PTR(key, OPTIONAL, struct type, member, 0, CYAML_UNLIMITED)
#define LIST(key, type, member, min) \
	CYAML_FIELD_SEQUENCE(key, OPTIONAL, struct type, member, &string, min, RULE_NAMES_MAX)

static const cyaml_schema_value_t string = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, CYAML_UNLIMITED),
};

/* An empty condition is met by no call, or by all: who knows what was meant? */
static const cyaml_schema_field_t rule_fields[] = {
	LIST("classes", yaml_rule, classes, 1),
	LIST("calls", yaml_rule, calls, 1),
	LIST("paths", yaml_rule, paths, 1),
	LIST("descriptors", yaml_rule, descriptors, 1),
	STRING("level", yaml_rule, level),
	STRING("refuse", yaml_rule, refuse),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t rule = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_rule, rule_fields),
};

static const cyaml_schema_field_t window_fields[] = {
	STRING("events", yaml_window, events),
	STRING("bytes", yaml_window, bytes),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t policy_fields[] = {
	STRING("level", yaml_policy, level),
	STRING("on-divergence", yaml_policy, on_divergence),
	STRING("on-lost-peer", yaml_policy, on_lost_peer),
	CYAML_FIELD_MAPPING_PTR("window", OPTIONAL, struct yaml_policy, window, window_fields),
	LIST("local", yaml_policy, local, 0),
	CYAML_FIELD_SEQUENCE("rules", OPTIONAL, struct yaml_policy, rules, &rule, 0, RULES_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t policy = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct yaml_policy, policy_fields),
};

/* ---- complaints ------------------------------------------------------------------------------- */

/* libcyaml says what is wrong, and then where it was, innermost first. */
struct complaint {
	char what[256];
	unsigned long line;
};

static void on_log(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
	struct complaint *c = ctx;
	char text[256];
	const char *line;

	(void)level;
	vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\n")] = 0;
	line = strstr(text, "(line: ");
	if (line && c->line == 0)
		c->line = strtoul(line + strlen("(line: "), NULL, 10);
	else if (!strncmp(text, "Load: ", 6) && !c->what[0])
		memcpy(c->what, text + 6, sizeof(text) - 6);
}

/* What follows prefix in the complaint, or NULL. */
static const char *after(const struct complaint *c, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(c->what, prefix, n) ? NULL : c->what + n;
}

static const char *wanted_form(const char *type)
{
	if (!strncmp(type, "SEQUENCE", 8))
		return "a list belongs here, as in [one, two]";
	if (!strncmp(type, "MAPPING", 7))
		return "keys with values belong here";
	return "a single value belongs here";
}

static void log_at(const char *name, unsigned line, const char *what, const char *word,
		   const char *rest)
{
	log_error("%s:%u: %s%s%s", name, line, what, word, rest);
}

struct source {
	const char *name, *text;
	size_t len;
};

/* libcyaml's line is that where the mapping begins. */
static void log_at_key(const struct source *s, unsigned line, const char *what, const char *key,
		       const char *rest, bool again)
{
	log_at(s->name, policy_yaml_line_of_key(s->text, s->len, line, key, again), what, key, rest);
}

static int complain(const struct source *s, cyaml_err_t err, const struct complaint *c)
{
	const char *word, *name = s->name;
	unsigned line = c->line ? (unsigned)c->line : 1;

	if (err == CYAML_ERR_OOM)
		return log_errno(ENOMEM, "cannot read the policy %s", name);
	if ((word = after(c, "Unexpected key: ")))
		log_at_key(s, line, "there is no setting '", word,
			   "'; `chiral policy --help` lists them", false);
	else if ((word = after(c, "Mapping field already seen: ")))
		log_at_key(s, line, "'", word, "' is given twice", true);
	else if ((word = after(c, "Expecting ")))
		log_at(name, line, wanted_form(word), "", "");
	else if (err == CYAML_ERR_SEQUENCE_ENTRIES_MIN)
		log_at(name, line, "the list is empty: leave it out", "", "");
	else if (err == CYAML_ERR_SEQUENCE_ENTRIES_MAX)
		log_at(name, line, "the list is too long", "", "");
	else
		log_at(name, line, c->what[0] ? c->what : cyaml_strerror(err), "", "");
	return -EINVAL;
}

/* ---- reading ---------------------------------------------------------------------------------- */

static cyaml_config_t config_of(struct complaint *c)
{
	return (cyaml_config_t){
		.log_fn = on_log,
		.log_ctx = c,
		.mem_fn = cyaml_mem,
		.log_level = CYAML_LOG_WARNING,
		.flags = CYAML_CFG_NO_ALIAS,
	};
}

int policy_yaml_read(const char *name, const char *text, size_t len, struct yaml_policy **ret)
{
	struct complaint c = { 0 };
	cyaml_config_t config = config_of(&c);
	cyaml_data_t *data = NULL;
	cyaml_err_t err;
	int r = policy_yaml_scan(name, text, len);

	if (r < 0)
		return r;
	if (r == 0) {
		*ret = NULL;
		return 0;
	}
	err = cyaml_load_data((const uint8_t *)text, len, &config, &policy, &data, NULL);
	if (err != CYAML_OK)
		return complain(&(struct source){ name, text, len }, err, &c);
	*ret = data;
	return 0;
}

void policy_yaml_free(struct yaml_policy *y)
{
	struct complaint c = { 0 };
	cyaml_config_t config = config_of(&c);

	cyaml_free(&config, &policy, y, 0);
}
