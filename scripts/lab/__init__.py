"""A datacenter of swimlane servers on one machine: network namespaces, real processes, real origins.

  ledger   what was made, so that it can be undone, by this process or by a later one
  host     root or user namespace, hugepages, commands
  net      the topology and its partitions
  rpc      the control RPC and its event streams
  origins  nginx as the origin servers
  fleet    the servers
  maps     complete dumps and their comparison
  lab      all of the above, started and taken down
The demo (demo, story, screen) and tests/live stand on it. Python 3.11, standard library only.
"""
