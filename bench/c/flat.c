/* The peer in C: one flat bitmap, and the same derived tables as EffectiveMap keeps. Built with -O3 -march=native. */
#include <stdint.h>
#include <string.h>

void flat_pfn_valid(const uint64_t *words, uint64_t nr_subsections, uint64_t shift, const uint64_t *pfns, uint64_t n, uint8_t *out)
{
	for (uint64_t i = 0; i < n; i++) {
		uint64_t sub = pfns[i] >> shift;

		out[i] = sub < nr_subsections ? words[sub >> 6] >> (sub & 63) & 1 : 0;
	}
}

/* What reading the pfns and writing the answers costs by itself. */
void flat_traffic(const uint64_t *pfns, uint64_t n, uint8_t *out)
{
	for (uint64_t i = 0; i < n; i++)
		out[i] = pfns[i] & 1;
}

static int64_t find(const uint64_t *words, uint64_t flip, uint64_t start, uint64_t end)
{
	uint64_t word = start >> 6, last = (end - 1) >> 6;
	uint64_t bits = (words[word] ^ flip) & ~0UL << (start & 63);

	for (;; bits = words[++word] ^ flip) {
		if (word == last)
			bits &= ~0UL >> (63 - ((end - 1) & 63));
		if (bits)
			return word << 6 | (uint64_t)__builtin_ctzl(bits);
		if (word == last)
			return -1;
	}
}

void flat_batch(uint64_t *words, const int64_t *starts, const int64_t *counts, const uint8_t *adds, uint64_t n, int64_t *answers,
		uint8_t *dirty)
{
	for (uint64_t i = 0; i < n; i++) {
		uint64_t start = starts[i], end = start + counts[i];
		uint64_t word = start >> 6, last = (end - 1) >> 6;
		uint64_t flip = adds[i] ? 0 : ~0UL;
		int64_t hit = find(words, flip, start, end);

		answers[i] = hit;
		if (hit >= 0)
			continue;
		uint64_t head = ~0UL << (start & 63), tail = ~0UL >> (63 - ((end - 1) & 63));

		if (word == last) {
			words[word] ^= head & tail;
		} else {
			words[word] ^= head;
			for (uint64_t w = word + 1; w < last; w++)
				words[w] = ~flip;
			words[last] ^= tail;
		}
		for (uint64_t b = word >> 6; b <= last >> 6; b++)
			dirty[b] = 1;
	}
}

/* The derived tables of the dirty blocks of 64 words, then the levels above. Arrays are sized by the caller. */
void flat_derive(const uint64_t *words, uint64_t nr_blocks, const uint8_t *dirty, uint16_t *counts, uint16_t *row0, uint32_t *row1,
		 uint32_t *row2, uint64_t *any0, uint64_t *any1, uint64_t *any2, uint64_t *room0, uint64_t *room1, uint64_t *room2)
{
	for (uint64_t b = 0; b < nr_blocks; b++) {
		if (!dirty[b])
			continue;
		uint64_t any = 0, room = 0;
		unsigned sum = 0;

		for (int k = 0; k < 64; k++) {
			uint64_t w = words[b * 64 + k];

			row0[b * 64 + k] = sum;
			sum += __builtin_popcountl(w);
			any |= (uint64_t)(w != 0) << k;
			room |= (uint64_t)(w != ~0UL) << k;
		}
		counts[b] = sum;
		any0[b] = any;
		room0[b] = room;
	}
	memset(any1, 0, nr_blocks / 64 * 8);
	memset(room1, 0, nr_blocks / 64 * 8);
	memset(any2, 0, (nr_blocks / 4096 + 1) * 8);
	memset(room2, 0, (nr_blocks / 4096 + 1) * 8);
	uint32_t all = 0;

	for (uint64_t g = 0; g < nr_blocks / 64; g++) {
		uint32_t sum = 0;

		row2[g] = all;
		for (int k = 0; k < 64; k++) {
			uint64_t b = g * 64 + k;

			row1[b] = sum;
			sum += counts[b];
			any1[g] |= (uint64_t)(any0[b] != 0) << k;
			room1[g] |= (uint64_t)(room0[b] != 0) << k;
		}
		all += sum;
		any2[g >> 6] |= (uint64_t)(any1[g] != 0) << (g & 63);
		room2[g >> 6] |= (uint64_t)(room1[g] != 0) << (g & 63);
	}
}

/* Holes: first and stop of each run of clear bits, in one pass over the words. */
uint64_t flat_holes(const uint64_t *words, uint64_t nr_words, int64_t *out, uint64_t size)
{
	uint64_t found = 0, carry = 0;

	for (uint64_t w = 0; w < nr_words; w++) {
		uint64_t bits = ~words[w];
		uint64_t edges = bits ^ (bits << 1 | carry);

		carry = bits >> 63;
		while (edges) {
			if (found < size)
				out[found] = w << 6 | (uint64_t)__builtin_ctzl(edges);
			found++;
			edges &= edges - 1;
		}
	}
	if (carry) {
		if (found < size)
			out[found] = nr_words << 6;
		found++;
	}
	return found;
}

uint64_t flat_count(const uint64_t *words, uint64_t start, uint64_t end)
{
	uint64_t word = start >> 6, last = (end - 1) >> 6;
	uint64_t head = ~0UL << (start & 63), tail = ~0UL >> (63 - ((end - 1) & 63)), sum = 0;

	if (word == last)
		return __builtin_popcountl(words[word] & head & tail);
	sum = __builtin_popcountl(words[word] & head) + __builtin_popcountl(words[last] & tail);
	for (uint64_t w = word + 1; w < last; w++)
		sum += __builtin_popcountl(words[w]);
	return sum;
}

int64_t flat_first(const uint64_t *words, uint64_t start, uint64_t end)
{
	return find(words, 0, start, end);
}
