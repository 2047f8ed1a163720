import time, sys
from anytill.dialects import load_dialects
from fuzz.seeds import genuine
for name,d in load_dialects().items():
    t=time.time(); g=genuine(d); print(name, time.time()-t, len(g.requests), len(g.notices), len(g.answers), len(g.talks), [ (t.what,t.signed,type(t.value).__name__) for t in g.talks][:60], g.open_calls, len(g.words.names), sum(bool(s.meant) for s in g.requests))
