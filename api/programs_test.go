package api_test

// rightsOfPrograms is the part of rightsOf about rollouts of programs, which are
// of all merchants.
const rightsOfPrograms = `
riskMeasures              @readers
backtestRiskRule          @readers
questions                 @readers payer
answerQuestion            payer
reportAlarm               @own @shop payer
startProgramRollout       operator
programRollout            @readers
programRollouts           @readers
programRolloutOutstanding @readers
pauseProgramRollout       @own
resumeProgramRollout      operator
advanceProgramRollout     operator
stopProgramRollout        @own
`
