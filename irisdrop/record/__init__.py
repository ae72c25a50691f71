"""What irisdrop knows for certain: journal, spool and worklist mirror; the only place with SQL."""
