/* A few threads that share out the chunks of each phase.
 *
 * A phase ends when its chunks are done, not when every thread has come by: a thread that the system has put aside
 * holds nobody up unless it is in the middle of a chunk. Each phase's ticket carries the run it belongs to, so that
 * a thread that comes late to an old run finds nothing to take.
 */
#ifndef MIDIGPT_DECODER_THREADS_H
#define MIDIGPT_DECODER_THREADS_H

typedef struct {
    uint64_t ticket; /* run << 32 | chunks << 16 | next chunk */
    uint32_t done;
    char apart[116]; /* two cache lines: neighbours do not disturb each other */
} Phase;

typedef struct {
    const Isa *isa;
    int n_threads;
    pthread_t *threads;
    pthread_mutex_t mutex;
    pthread_cond_t woken;
    uint32_t run; /* number of the current run */
    int sleepers, stop;
    Job job;
    Phase *phases;
    float *scores; /* DESK per thread; pages of it that no context reaches cost nothing */
} Pool;

typedef struct {
    Pool *pool;
    int id;
} Seat;

static inline void short_pause(void) {
#if ON_X86
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int chunks_of(const Job *job, int phase) {
    const Net *net = job->net;
    const Part *part = part_of(job, phase);
    const int kind = phase_kind(net, phase);
    if (kind == ATTEND) return net->heads * part->groups;
    const Matrix *matrix = matrix_of(net, phase);
    return matrix ? matrix->blocks * ((part->rows + TILE_ROWS - 1) / TILE_ROWS) : (part->rows + NORM_ROWS - 1) / NORM_ROWS;
}

/* Take part in run `run` until all its phases are done, or until it turns out to be over. */
static void take_part(Pool *pool, uint32_t run, int id) {
    const int phases = phase_count(pool->job.net);
    float *scores = pool->scores + (size_t)id * DESK;
    for (int p = 0; p < phases; p++) {
        Phase *phase = pool->phases + p;
        uint64_t ticket = __atomic_load_n(&phase->ticket, __ATOMIC_ACQUIRE);
        uint32_t chunks;
        for (;;) {
            if ((uint32_t)(ticket >> 32) != run) return;
            chunks = (ticket >> 16) & 0xffff;
            const uint32_t next = ticket & 0xffff;
            if (next >= chunks) break;
            if (!__atomic_compare_exchange_n(&phase->ticket, &ticket, ticket + 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
                continue;
            pool->isa->work(&pool->job, p, (int)next, scores);
            __atomic_fetch_add(&phase->done, 1, __ATOMIC_ACQ_REL);
            ticket = __atomic_load_n(&phase->ticket, __ATOMIC_ACQUIRE);
        }
        for (int turns = 0; __atomic_load_n(&phase->done, __ATOMIC_ACQUIRE) != chunks; turns++) {
            if (__atomic_load_n(&pool->run, __ATOMIC_ACQUIRE) != run) return;
            if (turns < 2000) short_pause();
            else sched_yield();
        }
    }
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* Wait for the next run: awake for a moment, because the next token is usually near, then asleep. */
static void wait_for_run(Pool *pool, uint32_t seen) {
    const double start = seconds();
    for (int turns = 0;; turns++) {
        if (__atomic_load_n(&pool->run, __ATOMIC_ACQUIRE) != seen || __atomic_load_n(&pool->stop, __ATOMIC_ACQUIRE)) return;
        short_pause();
        if (turns % 256 == 255) {
            if (seconds() - start > 2e-3) break;
            sched_yield();
        }
    }
    pthread_mutex_lock(&pool->mutex);
    __atomic_fetch_add(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&pool->run, __ATOMIC_SEQ_CST) == seen && !pool->stop) pthread_cond_wait(&pool->woken, &pool->mutex);
    __atomic_fetch_sub(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&pool->mutex);
}

static void *serve(void *argument) {
    Seat seat = *(Seat *)argument;
    free(argument);
    uint32_t seen = 0;
    for (;;) {
        wait_for_run(seat.pool, seen);
        if (__atomic_load_n(&seat.pool->stop, __ATOMIC_ACQUIRE)) return NULL;
        seen = __atomic_load_n(&seat.pool->run, __ATOMIC_ACQUIRE);
        take_part(seat.pool, seen, seat.id);
    }
}

static Pool *new_pool(const Isa *isa, int n_threads, int n_phases) {
    Pool *pool = calloc(1, sizeof *pool);
    if (!pool) return NULL;
    pool->isa = isa;
    pool->phases = calloc(n_phases, sizeof *pool->phases);
    pool->threads = calloc(n_threads, sizeof *pool->threads);
    pool->scores = calloc((size_t)n_threads * DESK, sizeof *pool->scores);
    if (!pool->phases || !pool->threads || !pool->scores)
        return free(pool->phases), free(pool->threads), free(pool->scores), free(pool), NULL;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->woken, NULL);
    pool->n_threads = 1;
    for (int id = 1; id < n_threads; id++) {
        Seat *seat = malloc(sizeof *seat);
        if (!seat) break;
        *seat = (Seat){pool, id};
        if (pthread_create(pool->threads + id, NULL, serve, seat)) {
            free(seat);
            break;
        }
        pool->n_threads = id + 1;
    }
    return pool;
}

static void free_pool(Pool *pool) {
    if (!pool) return;
    pthread_mutex_lock(&pool->mutex);
    __atomic_store_n(&pool->stop, 1, __ATOMIC_SEQ_CST);
    pthread_cond_broadcast(&pool->woken);
    pthread_mutex_unlock(&pool->mutex);
    for (int id = 1; id < pool->n_threads; id++) pthread_join(pool->threads[id], NULL);
    pthread_mutex_destroy(&pool->mutex);
    pthread_cond_destroy(&pool->woken);
    free(pool->scores);
    free(pool->threads);
    free(pool->phases);
    free(pool);
}

/* Rows that share memory stand side by side: up to ATTEND_MAX of them are a group. */
static void find_groups(Part *part, const Row *rows) {
    part->groups = 0;
    for (int i = 0; i < part->rows; i++) {
        const Row *row = rows + part->row[i], *last = i ? rows + part->row[i - 1] : NULL;
        Group *group = part->group + part->groups - 1;
        const int together = last && group->count < ATTEND_MAX && row->prefix == last->prefix &&
                             (row->prefix ? 1 : row->tail == last->tail);
        if (together) group->count++;
        else part->group[part->groups++] = (Group){i, 1};
    }
}

static void find_parts(Job *job) {
    int out[MAX_ROWS];
    memset(out, -1, sizeof out);
    for (int i = 0; i < job->n_out; i++) out[job->out_rows[i]] = i;
    job->all.rows = job->late.rows = 0;
    for (int r = 0; r < job->n_rows; r++) {
        job->all.row[job->all.rows++] = r;
        if (out[r] < 0) continue;
        job->out[job->late.rows] = out[r];
        job->late.row[job->late.rows++] = r;
    }
    find_groups(&job->all, job->rows);
    find_groups(&job->late, job->rows);
}

/* Do the whole job. */
static void run_job(Pool *pool, Job job) {
    find_parts(&job);
    /* Late threads of the last run may still look at tickets; they take nothing, and read no other field. */
    pool->job = job;
    const uint32_t run = pool->run + 1;
    for (int p = 0; p < phase_count(job.net); p++) {
        pool->phases[p].done = 0;
        __atomic_store_n(&pool->phases[p].ticket, (uint64_t)run << 32 | (uint64_t)chunks_of(&job, p) << 16, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&pool->run, run, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&pool->sleepers, __ATOMIC_SEQ_CST)) {
        pthread_mutex_lock(&pool->mutex);
        pthread_cond_broadcast(&pool->woken);
        pthread_mutex_unlock(&pool->mutex);
    }
    take_part(pool, run, 0);
}

#endif
