"""The VOT challenges: short-term with resets (to 2019), short-term from many starts (from 2020), long-term."""
