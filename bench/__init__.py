"""What `make bench` runs: payments a second from end to end, beside what the machine and the database can do at best.

Numbers of different machines, or of different minutes, say little; ratios taken in one run say much. So every figure
is measured in rounds that are interleaved with all the others, and printed divided by its floor: the same server
answering without doing anything (`echo`), and PostgreSQL doing the same two commits for its own load generator
(`pgbench`).

    __main__    the command line
    plan        what is measured, in which order
    server      a gateway, or an echo, as a process of its own
    load        the tills, as a process of their own
    orders      signed requests of each dialect
    codecs      what a dialect costs without anything behind it
    floors      pgbench, and the disk's own speed
    books       the audit after each run
    processes   processes and the CPU they used
    report      the table, the goals, result.json
    store_rate  the store alone, by hand
"""
