/* How Python calls the C form of a trace: as a built-in function of floats, and of bytes that hold
   doubles. It knows CPython's objects by the functions of the C API alone that bind() gets, so that
   it is built without Python's headers. What stands before it: the type of these functions, the
   sizes, how floats (0) and bytes (1) follow each other, with numbers of doubles, and run(). */

static api python;

void bind(const api *functions)
{
    python = *functions;
}

static int take(double *in, object *const *items)
{
    const int(*run)[2];
    for (run = taken; (*run)[0] >= 0; ++run) {
        const int count = (*run)[1];
        if ((*run)[0]) {
            const ptrdiff_t size = count * (ptrdiff_t)sizeof(double);
            ptrdiff_t length;
            char *data;
            if (python.as_bytes(*items++, &data, &length))
                return 0;
            if (length != size) {
                python.raise(python.errors[FAILED]);
                return 0;
            }
            memcpy(in, data, (size_t)size);
            in += count;
        } else {
            double *const end = in + count;
            for (; in < end; ++in) {
                *in = python.as_double(*items++);
                if (*in == -1.0 && python.error())
                    return 0;
            }
        }
    }
    return 1;
}

static object *give(const double *out)
{
    object *const found = python.new_tuple(GIVEN), *item;
    const int(*run)[2];
    ptrdiff_t place = 0;
    for (run = given; found && (*run)[0] >= 0; ++run) {
        const double *const end = out + (*run)[1];
        const ptrdiff_t count = (*run)[0] ? (*run)[1] : 1; /* of the doubles of an item */
        for (; out < end; out += count) {
            if ((*run)[0])
                item = python.from_bytes((const char *)out, count * (ptrdiff_t)sizeof(double));
            else
                item = python.from_double(*out);
            if (!item) {
                python.drop(found);
                return 0;
            }
            python.set_item(found, place++, item);
        }
    }
    return found;
}

static object *compute(double *buffer, object *const *items)
{
    int status;
    if (!take(buffer, items))
        return 0;
#if FREE
    {
        void *const thread = python.leave();
        status = run(buffer);
        python.enter(thread);
    }
#else
    status = run(buffer);
#endif
    if (status) {
        python.raise(python.errors[status]);
        return 0;
    }
    return give(buffer + INPUTS);
}

/* Where numbers are kept from call to call, the first item is the address of their buffer. */
object *call(object *self, object *const *items, ptrdiff_t count)
{
    (void)self;
    if (count != TAKEN) {
        python.raise(python.errors[FAILED]);
        return 0;
    }
    {
#if KEPT
        double *const buffer = python.as_pointer(*items);
        return buffer ? compute(buffer, items + 1) : 0;
#elif NUMBERS <= ON_STACK
        double buffer[NUMBERS + 1];
        buffer[0] = 0.0; /* where nothing is taken, compilers warn otherwise */
        return compute(buffer, items);
#else
        double *const buffer = python.allocate(NUMBERS * sizeof(double));
        object *const found = buffer ? compute(buffer, items) : python.no_memory();
        python.release(buffer);
        return found;
#endif
    }
}
