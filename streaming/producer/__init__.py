"""The producer: an exchange's trades and tickers into Kafka, none lost, none twice.

What belongs here: sockets, threads, timers, back-off, gap ledger, back-fill, Kafka. What does not: any
venue's protocol (`streaming.exchanges`).

How the guarantee is kept, in the order things happen:

1. At start `resume` learns from Kafka the last trade of each pair and the gaps that are still open.
2. Each pair has one `tape`. Every trade of every connection and of the back-fill passes its `sequencer`,
   which drops what was seen and notices what is missing.
3. A gap is written to the ledger, and acknowledged by Kafka, *before* the first trade after it is sent.
   (In the spool the gap comes first, and nothing after it is sent before Kafka has it.)
   So at any instant Kafka holds, for each id up to the last, either the trade or an open gap.
4. The `filler` fetches what is missing, and closes the gap once Kafka has acknowledged those trades.
5. When Kafka is slow the readers stop reading. When it is away, records go to the `spool` on disk, and from
   there to Kafka in order. Nothing is dropped but superseded tickers.
6. What a dead process left in the spool goes to Kafka first (`recovery`), as if it had just been received.
"""
