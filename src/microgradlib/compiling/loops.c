/* The loops of microgradlib/numeric/loops.py in C99, which says what the numbers are. */

typedef int mg_step(const double *restrict in, double *restrict out, double *restrict work);

/* The sizes of a loop; of the way back, those from linked on. */
typedef struct {
    long long length, carry, row, results, others, every, room, saved;
    int reverse, stops;
    long long linked, sums, adjoints, of_row, rest, echoes;
    const long long (*echo)[2];
} mg_loop;

static inline double *mg_put(double *to, const double *from, long long count)
{
    for (long long i = 0; i < count; ++i)
        to[i] = from[i];
    return to + count;
}

static inline void mg_put_every(double *to, long long step, const double *from, long long by,
                                long long count)
{
    for (long long i = 0; i < count; ++i)
        to[i * step] = from[i * by];
}

static inline void mg_put_all(double *to, long long step, double x, long long count)
{
    for (long long i = 0; i < count; ++i)
        to[i * step] = x;
}

static long long mg_next_kept(long long start, long long end, long long room, long long every)
{
    long long before = 1, most = 1, repetitions = 0, rest;
    if (every)
        return start % every == 0 && start + every < end ? start + every : start + 1;
    if (room == 1)
        return end - 1;
    while (most < end - start) {
        ++repetitions;
        before = most;
        most = most * (room + repetitions) / repetitions;
    }
    rest = end - start - before * room / (room + repetitions - 1);
    return start + (before < rest ? before : rest);
}

/* How many steps a loop takes, which the first number may say; 0 if that is not in its rows. */
static inline long long mg_end(const mg_loop *s, const double *numbers)
{
    if (!s->stops)
        return s->length;
    return numbers[0] >= 1.0 && numbers[0] <= (double)s->length ? (long long)numbers[0] : 0;
}

/* The numbers made are the last carry, the results, how many carries are kept, and these, each
   after the number of its step, and before what is saved of that. */
static int mg_scan(mg_step *step, const mg_loop *s, const double *numbers, double *made,
                   double *work)
{
    const long long end = mg_end(s, numbers);
    const double *const first = numbers + s->stops, *const rows = first + s->carry;
    double *const in = work, *const row = mg_put(in, first, s->carry);
    double *const out = mg_put(row + s->row, rows + s->length * s->row, s->others);
    double *const results = made + s->carry, *const kept = results + s->length * s->results;
    long long due = s->room ? 0 : end, count = 0;
    if (end == 0)
        return 2; /* Python raises an error */
    for (long long i = 0; i < end; ++i) {
        const long long place = s->reverse ? end - 1 - i : i;
        double *saved = 0;
        int status;
        if (i == due) {
            double *const entry = kept + 1 + count++ * (1 + s->carry + s->saved);
            entry[0] = (double)i;
            saved = mg_put(entry + 1, in, s->carry);
            due = i + 1 == end ? end : mg_next_kept(i, end, s->room - count, s->every);
        }
        mg_put(row, rows + place * s->row, s->row);
        status = step(in, out, out + s->carry + s->results + s->saved);
        if (status)
            return status;
        if (s->saved)
            mg_put(saved, out + s->carry + s->results, s->saved);
        mg_put(in, out, s->carry);
        mg_put(results + place * s->results, out + s->carry, s->results);
    }
    mg_put(made, in, s->carry);
    mg_put_all(results + end * s->results, 1, 0.0, (s->length - end) * s->results);
    if (s->room)
        kept[0] = (double)count;
    return 0;
}

/* Compute the carry before a step from one that is kept. */
static int mg_advance(mg_step *step, const mg_loop *s, const double *rows, long long last,
                      const double *from, double *to, double *work)
{
    double *const in = work, *const row = mg_put(in, from + 1, s->carry);
    double *const out = mg_put(row + s->row, rows + s->length * s->row, s->others);
    for (long long i = (long long)from[0]; i < (long long)to[0]; ++i) {
        int status;
        mg_put(row, rows + (s->reverse ? last - i : i) * s->row, s->row);
        status = step(in, out, out + s->carry + s->results);
        if (status)
            return status;
        mg_put(in, out, s->carry);
    }
    mg_put(to + 1, in, s->carry);
    return 0;
}

static int mg_scan_pull(mg_step *step, mg_step *pull, const mg_loop *s, const double *result,
                        const double *numbers, double *made, double *work)
{
    const long long last = mg_end(s, numbers) - 1, size = 1 + s->carry + s->saved;
    const double *const rows = numbers + s->stops;
    const double *const first = rows + s->length * s->row + s->others;
    const double *const of_results = first + s->linked;
    const double *const given = result + s->carry + s->length * s->results;
    /* Where all carries are kept, none is added. */
    const double *const stack = s->every == 1 ? given + 1 : work;
    const long long taken = s->carry + s->row, others = taken + s->sums;
    const long long size_in = others + s->echoes + s->linked + s->adjoints + s->rest + s->saved;
    /* The inputs of a step, and of the next one, into which it writes the sums that it adds to. */
    double *in = s->every == 1 ? work : work + s->room * size, *next = in + size_in;
    double *const free = next + size_in;
    long long count = (long long)given[0], end = last + 1;
    double *const of_rows = made + s->linked + s->sums;
    for (int i = 0; i < 2; ++i) {
        double *const adjoints = (i ? next : in) + others + s->echoes;
        double *const ys = mg_put(adjoints, first, s->linked);
        mg_put(ys + s->adjoints, of_results + s->length * s->adjoints, s->rest);
    }
    for (long long i = 0; i < s->echoes; ++i)
        in[others + s->echoes + s->echo[i][0]]
            += of_results[(s->reverse ? 0 : last) * s->adjoints + s->echo[i][1]];
    mg_put_all(in + taken, 1, -0.0, s->sums);
    if (s->every != 1)
        mg_put(work, given + 1, count * size);
    while (end) {
        const double *const entry = stack + (count - 1) * size;
        const long long start = (long long)entry[0];
        const long long place = s->reverse ? last - start : start;
        const long long before = s->reverse ? place + 1 : place - 1;
        double *const row = in + s->carry, *const seeds = in + others;
        double *const adjoints = seeds + s->echoes, *const ys = adjoints + s->linked;
        double *const out = next + taken - s->linked - s->of_row, *const taken_from = in;
        int status;
        if (start < end - 1) {
            double *const due = work + count++ * size;
            due[0] = (double)mg_next_kept(start, end, s->room - count + 1, s->every);
            status = mg_advance(step, s, rows, last, entry, due, free);
            if (status)
                return status;
            continue;
        }
        --count;
        end = start;
        mg_put(in, entry + 1, s->carry);
        mg_put(row, rows + place * s->row, s->row);
        for (long long i = 0; i < s->echoes; ++i)
            seeds[i] = start ? of_results[before * s->adjoints + s->echo[i][1]] : -0.0;
        mg_put(ys, of_results + place * s->adjoints, s->adjoints);
        mg_put(ys + s->adjoints + s->rest, entry + 1 + s->carry, s->saved);
        status = pull(in, out, free);
        if (status)
            return status;
        mg_put(of_rows + place * s->of_row, out + s->linked, s->of_row);
        mg_put(next + (adjoints - in), out, s->linked);
        in = next;
        next = taken_from;
    }
    mg_put_all(of_rows + (last + 1) * s->of_row, 1, -0.0, (s->length - 1 - last) * s->of_row);
    mg_put(mg_put(made, in + others + s->echoes, s->linked), in + taken, s->sums);
    return 0;
}
