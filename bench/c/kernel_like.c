/* A userspace table of the same shape as the kernel's: roots of sections, each with a word of flags and a pointer to its usage map.
 * Written for this benchmark; it is not the kernel and says nothing about the kernel's speed. Built with -O2, as distributions do. */
#include <stdint.h>
#include <stdlib.h>

#define SECTIONS_PER_ROOT 256
#define PAGES_PER_SECTION_SHIFT 15
#define PAGES_PER_SUBSECTION_SHIFT 9
#define HAS_MEM_MAP 2UL
#define PRESENT 1UL
#define EARLY 8UL

struct usage {
	void *rcu[2];
	uint64_t subsection_map;
	uint64_t pageblock_flags[4];
};

struct section {
	uint64_t word;
	struct usage *usage;
};

struct table {
	uint64_t nr_sections;
	struct section *root[];
};

static struct section *nr_to_section(struct table *t, uint64_t nr)
{
	struct section *root = t->root[nr / SECTIONS_PER_ROOT];

	return root ? &root[nr % SECTIONS_PER_ROOT] : NULL;
}

struct table *table_new(uint64_t nr_sections)
{
	struct table *t = calloc(1, sizeof(*t) + nr_sections / SECTIONS_PER_ROOT * sizeof(void *));

	t->nr_sections = nr_sections;
	return t;
}

void table_free(struct table *t)
{
	for (uint64_t r = 0; r < t->nr_sections / SECTIONS_PER_ROOT; r++) {
		if (!t->root[r])
			continue;
		for (int i = 0; i < SECTIONS_PER_ROOT; i++)
			free(t->root[r][i].usage);
		free(t->root[r]);
	}
	free(t);
}

static struct section *section_make(struct table *t, uint64_t nr)
{
	struct section **root = &t->root[nr / SECTIONS_PER_ROOT];

	if (!*root)
		*root = calloc(SECTIONS_PER_ROOT, sizeof(struct section));
	return &(*root)[nr % SECTIONS_PER_ROOT];
}

/* Boot or load: the words are sub-section maps; early[nr] marks sections whose map does not matter to pfn_valid(). */
void table_load(struct table *t, const uint64_t *maps, const uint8_t *early)
{
	for (uint64_t nr = 0; nr < t->nr_sections; nr++) {
		if (!maps[nr])
			continue;
		struct section *ms = section_make(t, nr);

		ms->usage = calloc(1, sizeof(*ms->usage));
		ms->usage->subsection_map = maps[nr];
		ms->word = PRESENT | HAS_MEM_MAP | (early[nr] ? EARLY : 0) | nr << 6;
	}
}

static int valid(struct table *t, uint64_t pfn)
{
	uint64_t nr = pfn >> PAGES_PER_SECTION_SHIFT;
	struct section *ms;

	if (nr >= t->nr_sections)
		return 0;
	ms = nr_to_section(t, nr);
	if (!ms || !(ms->word & HAS_MEM_MAP))
		return 0;
	if (ms->word & EARLY)
		return 1;
	return ms->usage->subsection_map >> ((pfn >> PAGES_PER_SUBSECTION_SHIFT) & 63) & 1;
}

void table_pfn_valid(struct table *t, const uint64_t *pfns, uint64_t n, uint8_t *out)
{
	for (uint64_t i = 0; i < n; i++)
		out[i] = valid(t, pfns[i]);
}

/* Adds and removals of sub-sections inside one section: masks, usage allocated at the first and freed after the last. */
void table_batch(struct table *t, const int64_t *starts, const int64_t *counts, const uint8_t *adds, uint64_t n, int64_t *answers)
{
	for (uint64_t i = 0; i < n; i++) {
		uint64_t nr = (uint64_t)starts[i] >> 6, low = starts[i] & 63;
		uint64_t mask = (counts[i] == 64 ? ~0UL : (1UL << counts[i]) - 1) << low;
		struct section *ms = section_make(t, nr);
		uint64_t map = ms->usage ? ms->usage->subsection_map : 0;
		uint64_t hit = adds[i] ? map & mask : ~map & mask;

		if (hit) {
			answers[i] = nr << 6 | (uint64_t)__builtin_ctzl(hit);
			continue;
		}
		answers[i] = -1;
		if (!ms->usage)
			ms->usage = calloc(1, sizeof(*ms->usage));
		ms->usage->subsection_map = map ^ mask;
		if (map ^ mask) {
			ms->word = PRESENT | HAS_MEM_MAP | nr << 6;
		} else {
			free(ms->usage);
			ms->usage = NULL;
			ms->word = 0;
		}
	}
}
